"""Words: a thing is called the same wherever it is told, and amounts are grouped."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.utils import label_for_field
from django.db.models import Model
from django.utils import timezone

from config.unfold import UNFOLD
from credits.admin import lots, show
from credits.models import Account, ApprovalRequest, BulkAdjustment, Grant, StaffAct
from credits.services.allotments import Order, start_allotment
from tests.admin.conftest import Desk, staff, text
from tests.factories import give, spend

ITEMS = [(item["title"], str(item["link"])) for group in UNFOLD["SIDEBAR"]["navigation"] for item in group["items"]]


def test_pages_are_called_as_the_sidebar_calls_them(dave: Desk) -> None:
    called = {}
    for title, address in ITEMS:
        [window] = re.findall(r"<title>(.*?)</title>", text(dave.client.get(address)), re.DOTALL)
        called[title] = window.split("|")[0].strip()

    # Reports open with the first of them, which has a name of its own.
    assert called | {"Reports": "Reports"} == {title: title.split("  ")[0] for title, _ in ITEMS}


def test_an_id_is_told_as_it_is_written(dave: Desk, alice: Account) -> None:
    page = text(dave.get("credits/unit/credits/change/"))

    words = [" ".join(re.sub(r"<[^>]*>", " ", part).split()) for part in page.split("chevron_right")]
    assert words[0].endswith("Settings")
    assert words[1] == "Units"
    assert words[2].startswith("credits ")


def test_what_is_not_there_and_what_cannot_be_filled_in(dave: Desk, alice: Account) -> None:
    spend(alice, 1)
    page = text(dave.get(f"credits/transaction/{alice.transactions.latest('sequence').pk}/change/"))

    assert "In words, for people." not in page
    assert admin.site.empty_value_display == "–"
    assert ">-<" not in page


@pytest.mark.parametrize(
    ("model", "titles"),
    [
        (ApprovalRequest, "What, Amount, Of, Asked by, Asked, Status, Decided by"),
        (BulkAdjustment, "File, Status, Lines, Done, Refused, By, Made"),
    ],
)
def test_columns_are_titled_in_words(model: type[Model], titles: str) -> None:
    page = admin.site.get_model_admin(model)

    assert ", ".join(str(label_for_field(name, model, page)) for name in page.list_display) == titles


def test_one_thing_is_one() -> None:
    assert [show.many(count, "open lot") for count in (0, 1, 1200)] == ["0 open lots", "1 open lot", "1,200 open lots"]


def test_a_lot_has_one_name(dave: Desk, alice: Account) -> None:
    lot = alice.grants.get()
    name = lots.name(lot)

    pages = (
        dave.press(alice, "adjust", amount="-10", reason="goodwill", note="", ticket=""),
        dave.get(f"credits/account/{alice.pk}/change/"),
        dave.get("credits/grant/"),
    )

    assert name == f"{lot.get_category_display()} lot of {lot.created_at:%B %Y}"
    for page in pages:
        assert name in text(page)


def test_credits_that_come_by_themselves_are_told_in_words(dave: Desk, alice: Account) -> None:
    begins = timezone.now() - timedelta(minutes=1)
    start_allotment(
        account=alice.pk, order=Order("subscription:7", Decimal(500), begins, "UTC", description="Plan PRO")
    )
    lot = Grant.objects.get(category="plan")
    words = f'<span title="{lot.source}">Monthly credits of PRO, {lot.created_at:%B %Y}</span>'

    account = text(dave.get(f"credits/account/{alice.pk}/change/"))

    assert lot.source.startswith("allotment:")
    assert words in account
    assert words in text(dave.get("credits/grant/"))
    assert f'as <span title="{lot.source.replace(":", " ", 1)}">monthly credits</span>' in account


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("allotment:29:0:change-29", "Change of plan: credits"),
        ("allotment:29:3", "Monthly credits"),
        ("subscription:01a2:trial", "Trial of a plan"),
        ("order:FL-4242", None),
        ("Spring campaign", None),
        ("", None),
    ],
)
def test_a_source_of_ours_has_words_and_a_callers_is_its_own(source: str, words: str | None) -> None:
    assert lots.in_words(*source.split(":", 1)) == words


def test_an_order_of_one_period_says_that_another_follows(dave: Desk, alice: Account) -> None:
    begins = timezone.now() - timedelta(minutes=1)
    order = Order(
        "subscription:7", Decimal(500), begins, "UTC", description="Plan PRO", ends_at=begins + timedelta(days=20)
    )
    start_allotment(account=alice.pk, order=order)

    page = text(dave.get(f"credits/account/{alice.pk}/change/"))

    assert "All came until <time" in page
    assert "a period that follows is ordered anew" in page
    assert ">Ended<" not in page


def test_amounts_are_grouped_and_have_their_unit(dave: Desk, alice: Account) -> None:
    sam: Any = staff("lea", "Support lead")
    give(alice, 90_000)

    assert "More than 5,000 credits at once takes a second person." in text(
        sam.press(alice, "adjust", amount="6000", reason="goodwill", note="", ticket="")
    )
    caps = text(dave.get("credits/staffcap/"))
    assert '5,000</span> <span class="f-unit">credits</span>' in caps


def test_staff_acts_are_told_by_what_was_pressed(dave: Desk, alice: Account) -> None:
    staff("sam", "Support").confirm(alice, "adjust", amount="600", reason="goodwill", note="n", ticket="T-1")

    assert StaffAct.objects.filter(action="ask-approval").exists()
    assert "Ask for approval" in text(dave.get("credits/staffact/"))


def test_an_empty_list_says_so_in_plain_words(dave: Desk) -> None:
    assert "There is nothing here yet" in text(dave.get("credits/hold/"))
    assert "Nothing here fits" in text(dave.get("credits/account/?q=nobody"))
