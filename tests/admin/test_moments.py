"""Moments have one door: the reader's own zone, with UTC on hover. Texts that are kept say that theirs is UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.auth.models import User
from django.db.models import DateTimeField
from django.test import RequestFactory
from django.utils import timezone

from credits import moments
from credits.models import Account, ApprovalRequest, StaffAct, Transaction
from tests.admin.conftest import Desk, staff, text
from tests.admin.test_approvals import decide, page
from tests.factories import hold, spend

ASKED = {"reason": "goodwill", "note": "n", "ticket": "SUP-1"}
END = "2031-05-06T07:08"
SOON = f"{timezone.now() + timedelta(days=20):%Y-%m-%dT%H:%M}"
TAG = '<time datetime="2031-05-06T07:08:00+00:00" title="2031-05-06 07:08 UTC">'
# What the browser turns; what is chosen from a list, which the script turns too; the window's title, which says UTC.
TURNED = re.compile(r"<(time|option|title)\b.*?</\1>|<[^>]*>", re.DOTALL)
TOLD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d|\d (?:a|p)\.m\.")
# Pages of their own, which print no raw field.
OWN_PAGES = {"account", "approvalrequest", "bulkadjustment", "clockedschedule"}


def left(answer: Any) -> list[str]:
    """Return the moments that a page tells past the door."""
    return TOLD.findall(TURNED.sub("", text(answer)))


def test_a_text_is_told_in_the_readers_zone_and_stays_text() -> None:
    told = moments.in_zone("<b>Until</b> 2031-05-06 07:08 UTC, not 07:08")

    assert told == f"&lt;b&gt;Until&lt;/b&gt; {TAG}2031-05-06 07:08 UTC</time>, not 07:08"
    assert moments.in_zone(told) == told
    assert moments.utc(datetime(2031, 5, 6, 7, 8, tzinfo=UTC)) == "2031-05-06 07:08 UTC"


def test_no_page_prints_a_moment_as_django_would(database: None) -> None:
    request = RequestFactory().get("/")
    request.user = User.objects.create_superuser("dave")
    printed = {}
    for model, of_model in admin.site._registry.items():
        names = {field.name for field in model._meta.get_fields() if isinstance(field, DateTimeField)}
        shown = {*map(str, of_model.list_display)}
        if model._meta.model_name not in OWN_PAGES:
            shown |= {*flatten_fieldsets(of_model.get_fieldsets(request))}
        # What is typed into a form is typed in UTC.
        typed = {"start_time", "expires"} if model._meta.model_name == "periodictask" else set()
        if found := (shown & names) - typed:
            printed[model._meta.label] = found
    assert printed == {}


def test_previews_and_the_log_tell_it_so(dave: Desk, alice: Account) -> None:
    asked = {**ASKED, "amount": "20", "expires_at": END}

    preview = dave.press(alice, "grant", **asked)
    dave.confirm(alice, "grant", **asked)

    act = StaffAct.objects.get(action="grant")
    assert "to be spent by 2031-05-06 07:08 UTC" in act.what
    for shown in (
        preview,
        dave.get(f"credits/staffact/{act.pk}/change/"),
        dave.get("credits/staffact/"),
        dave.get(f"credits/account/{alice.pk}/change/"),
    ):
        assert TAG in text(shown)
        assert left(shown) == [], TURNED.sub("", text(shown)).split("2031")[0][-300:]


def test_requests_for_approval_tell_it_so_while_they_wait_and_after(alice: Account) -> None:
    sam, lea = staff("sam", "Support"), staff("lea", "Support lead")
    sam.confirm(alice, "grant", amount="600", expires_at=END, **ASKED)
    row = ApprovalRequest.objects.get()

    waiting = lea.get(page(row))
    decide(lea, row, "refuse")
    decided = lea.get(page(row))

    for shown in (waiting, decided):
        assert TAG in text(shown)
        assert left(shown) == [], TURNED.sub("", text(shown)).split("2031")[0][-300:]


@pytest.mark.parametrize(
    ("verb", "fields"),
    [
        ("extend-hold", {"hours": "3"}),
        ("override-quota", {"feature": "", "period": "daily", "measure": "credits", "limit": "5", "until": SOON}),
    ],
)
def test_each_verb_that_asks_for_a_moment_tells_it_so(
    dave: Desk, alice: Account, verb: str, fields: dict[str, str]
) -> None:
    held = hold(alice, 5)

    shown = dave.press(alice, verb, held=str(held.id), **fields, note="n", ticket="")

    assert "What would change" in text(shown)
    assert text(shown).count("<time") >= 2
    assert left(shown) == []


def test_what_is_chosen_from_says_utc(dave: Desk, alice: Account) -> None:
    spend(alice, 5)
    at = moments.utc(Transaction.objects.latest("sequence").recorded_at)

    assert f"{at} · " in text(dave.get(f"credits/account/{alice.pk}/refund/"))
    assert at.endswith(" UTC")


def test_exact_moments_keep_their_microseconds_on_hover() -> None:
    at = timezone.now().replace(microsecond=123456) + timedelta(hours=1)

    assert f'title="{at:%Y-%m-%d %H:%M:%S}.123456 UTC"' in moments.exactly(at)
