"""What no page sends: whoever of staff makes it up is told so, and nothing breaks."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.urls import reverse

from credits.models import Account, BulkAdjustment
from tests.admin.conftest import Desk, text
from tests.admin.test_bulk import upload
from tests.factories import make_account, spend

NUL = "%00"
PAGES = (
    "billing/payment", "billing/pack", "credits/unit", "credits/feature", "subscriptions/plan", "credits/apikey",
    "credits/unpricedusage",
)  # fmt: skip
CRONTAB = {
    "minute": "5", "hour": "4", "day_of_month": "*", "month_of_year": "*", "day_of_week": "*", "timezone": "UTC",
    "initial-timezone": "UTC", "periodictask_set-TOTAL_FORMS": "0", "periodictask_set-INITIAL_FORMS": "0",
}  # fmt: skip


@pytest.mark.parametrize("query", ["until=9999-12-31", "until=9999-12-31&kind=usage", "since=9999-12-31"])
def test_the_last_day_of_all_has_none_behind_it(dave: Desk, alice: Account, query: str) -> None:
    spend(alice, 1)

    assert dave.get(f"credits/account/{alice.pk}/change/?{query}").status_code == 200


def test_no_list_is_filtered_by_what_it_does_not_offer(dave: Desk) -> None:
    for model in admin.site._registry:
        page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for lookup in ("pk__regex", f"{model._meta.pk.attname}__regex", "pk__in", "pk"):
            assert dave.client.get(f"{page}?{lookup}=(").status_code == 400, (page, lookup)
        assert dave.client.get(f"{page}?nothing=1", follow=True).status_code == 200, page


@pytest.mark.parametrize("query", ["grant/?category__regex=(", "account/?unit__code__regex=(", "grant/?account__pk=x"])
def test_nor_by_other_ways_than_those_of_its_filters(dave: Desk, query: str) -> None:
    assert dave.get(f"credits/{query}").status_code == 400


def test_lines_that_are_too_much_in_all_are_told(dave: Desk) -> None:
    ids = [make_account(external_id=f"rich-{number}").external_id for number in range(101)]

    answer = upload(dave, "".join(f"{each},1000000000000\n" for each in ids))

    assert answer.status_code == 200
    assert "Its lines add or take more than 99999999999999.999999 in all: split it." in text(answer)
    assert not BulkAdjustment.objects.exists()


@pytest.mark.parametrize("page", [f"{page}/{NUL}/change/" for page in PAGES])
def test_an_address_with_a_nul_leads_nowhere(dave: Desk, page: str) -> None:
    answer = dave.get(page)

    assert answer.status_code == 404
    assert "Nothing is here" in text(answer)


@pytest.mark.parametrize("page", ["billing/pack", "subscriptions/plan"])
@pytest.mark.parametrize("view", ["history", "delete"])
def test_nor_does_any_page_of_a_row(dave: Desk, page: str, view: str) -> None:
    assert dave.get(f"{page}/{NUL}/{view}/").status_code == 404


@pytest.mark.parametrize("pk", ["xxxx", "9" * 40])
def test_an_id_that_is_no_id_is_nobodys(dave: Desk, pk: str) -> None:
    for model in admin.site._registry:
        page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[pk])

        answer = dave.client.get(page, follow=True)

        assert answer.status_code == 200, page
        assert "doesn’t exist" in text(answer), page


@pytest.mark.parametrize("page", ["billing/pack/new", "billing/planprice/new", "credits/staffcap/add"])
@pytest.mark.parametrize("unit", ["\0", "USD\0"])
def test_a_unit_with_a_nul_is_none(dave: Desk, page: str, unit: str) -> None:
    assert dave.post(f"{page}/", unit=unit, action="adjust").status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [{"minute": "-1"}, {"hour": "-1"}, {"day_of_month": "-1"}, {"day_of_week": "-1"}, {"minute": "\0"}],
)
def test_a_schedule_that_cannot_be_read_is_refused(dave: Desk, wrong: dict[str, Any]) -> None:
    answer = dave.post("django_celery_beat/crontabschedule/add/", **{**CRONTAB, **wrong})

    assert answer.status_code == 200
    assert answer.context["adminform"].errors.keys() == wrong.keys()


def test_what_a_schedule_is_compared_with_is_its_own(dave: Desk) -> None:
    answer = dave.post("django_celery_beat/crontabschedule/add/", **{**CRONTAB, "initial-timezone": "x" * 10_000})

    assert answer.status_code == 302
