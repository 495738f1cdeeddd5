"""Quotas on an account's page: how they stand, and the buttons that change them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from credits.models import Account, Quota
from credits.plan.state import QuotaKey
from credits.services import allowances, quotas
from credits.services.allotments import Order, start_allotment
from tests.admin.conftest import Desk, confirmation, text
from tests.factories import allowance, charge, hold, make_account, price, spend, unpriced


def soon(days: int = 20) -> str:
    """Return a moment so many days from now, as a browser's picker sends it."""
    return f"{timezone.now() + timedelta(days=days):%Y-%m-%dT%H:%M}"


DAY = QuotaKey("", "daily", "credits")
CALLS = QuotaKey("ml-analysis", "daily", "quantity")
WHY = {"note": "Launch week", "ticket": "SUP-7"}
SET = {"feature": "", "period": "daily", "measure": "credits", "limit": "40", "kind": "hard", **WHY}
OVERRIDE = {"feature": "", "period": "daily", "measure": "credits", "limit": "90", "until": soon(), **WHY}
KNOWN = {"quota": "|daily|credits", **WHY}


def limited(account: Account, limit: int = 40, key: QuotaKey = DAY, *, hard: bool = True) -> Account:
    quotas.set_quota(account=account.pk, key=key, limit=Decimal(limit), hard=hard)
    return account


def shown(desk: Desk, account: Account) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = desk.get(f"credits/account/{account.pk}/change/").context["quotas"]
    return rows


class TestThePage:
    def test_shows_what_is_used_and_held_of_a_limit(self, carol: Desk, alice: Account) -> None:
        limited(alice)
        spend(alice, 10)
        hold(alice, 12)

        [quota] = shown(carol, alice)

        assert (quota["used"], quota["reserved"], quota["limit"]) == ("10", "12", "40")
        assert (quota["used_percent"], quota["reserved_percent"], quota["mark"]) == ("25", "30", "")
        assert (quota["source"], quota["hard"]) == ("Account", True)

    @pytest.mark.parametrize(("used", "mark"), [(31, ""), (32, "f-near"), (40, "f-full"), (55, "f-full")])
    def test_marks_what_is_nearly_or_quite_used_up(self, carol: Desk, alice: Account, used: int, mark: str) -> None:
        limited(alice, hard=False)
        spend(alice, used)

        [quota] = shown(carol, alice)

        assert quota["mark"] == mark
        assert int(quota["used_percent"]) <= 100

    def test_says_whose_limit_it_is(self, carol: Desk, alice: Account) -> None:
        code = allowance("pro", (), allowances.Limit("", "daily", Decimal(70)))
        allowances.put_on_allowance(account=alice.pk, code=code)
        assert [(row["source"], row["allowance"]) for row in shown(carol, alice)] == [("Plan", "pro")]

        limited(alice, 0)
        assert [(row["source"], row["allowance"], row["mark"]) for row in shown(carol, alice)] == [
            ("Account", "", "f-full")
        ]

        until = timezone.now() + timedelta(days=2)
        quotas.override_quota(account=alice.pk, key=DAY, limit=Decimal(99), until=until, reason="Launch")
        assert [(row["source"], row["limit"], row["reason"]) for row in shown(carol, alice)] == [
            ("Override", "99", "Launch")
        ]

    def test_shows_windows_that_are_over(self, carol: Desk, database: None) -> None:
        past = timezone.now() - timedelta(days=3)
        account = make_account(external_id="lab", balance=100, at=past)
        quotas.set_quota(account=account.pk, key=DAY, limit=Decimal(5), hard=False, at=past)
        spend(account, 7, at=past)
        spend(account, 1)

        page = carol.get(f"credits/account/{account.pk}/change/")

        [window] = page.context["windows"]
        assert (window["used"], window["limit"], window["over"]) == ("7", "5", True)

    def test_shows_use_of_thirty_days_and_prices_of_movements(self, carol: Desk, alice: Account) -> None:
        price("ml-analysis", "per_unit", per=4)
        price("model:gpt-6", "tokens", input=3, output=15)
        charge(alice, quantity=Decimal(3))
        charge(alice, "", model="gpt-6", input_tokens=1_000_000, output_tokens=200_000)
        unpriced(alice)

        page = carol.get(f"credits/account/{alice.pk}/change/")

        assert page.context["consumed"] == "23"
        assert [(row["name"], row["consumed"]) for row in page.context["features"]] == [
            ("ml-analysis", "12"),
            ("gpt-6", "6"),
            ("gpt-9", "5"),
        ]
        assert len(page.context["chart"]) == 30
        words = " ".join(text(page).split())
        assert "3 × ml-analysis at <a" in words
        assert "gpt-6: 1,000,000 in, 200,000 out at <a" in words
        assert ">price v1</a>" in words

    def test_shows_standing_orders(self, carol: Desk, alice: Account) -> None:
        begins = timezone.now() - timedelta(days=1)
        order = Order("contract:1", Decimal(2000), begins, "UTC", description="Volume", rollover_cap=Decimal(500))
        start_allotment(account=alice.pk, order=order)

        page = carol.get(f"credits/account/{alice.pk}/change/")

        [row] = page.context["orders"]
        assert (row["name"], row["amount"], row["rolls"]) == ("Volume", "2,000 a month", "up to 500 roll over")


class TestSetting:
    def test_gives_and_takes_away_a_limit(self, carol: Desk, alice: Account) -> None:
        preview = carol.press(alice, "set-quota", **SET)
        assert [(row.label, row.before, row.after) for row in preview.context["changes"]][:2] == [
            ("Limit", "None", "40"),
            ("Beyond it", "–", "Refused"),
        ]
        assert not Quota.objects.exists()

        carol.confirm(alice, "set-quota", **SET)
        assert (Quota.objects.get().limit, Quota.objects.get().hard) == (40, True)
        [entry] = LogEntry.objects.all()
        assert entry.get_change_message() == ("Set credits for all features a day to 40. ticket SUP-7; Launch week")

        carol.confirm(alice, "set-quota", **{**SET, "limit": ""})
        assert Quota.objects.get().limit is None

    def test_may_be_soft(self, carol: Desk, alice: Account) -> None:
        carol.confirm(alice, "set-quota", **{**SET, "kind": "soft"})

        assert spend(alice, 50).warnings

    def test_twice_is_once(self, carol: Desk, alice: Account) -> None:
        signed = confirmation(carol.press(alice, "set-quota", **SET))
        carol.press(alice, "set-quota", **SET, confirmation=signed)
        limited(alice, 7)

        again = carol.press(alice, "set-quota", **SET, confirmation=signed)

        assert "Nothing was done twice" in text(carol.client.get(again.url))
        assert Quota.objects.get().limit == 7

    @pytest.mark.parametrize(
        "fields",
        [
            {"limit": "-1"},
            {"limit": "NaN"},
            {"limit": "1e99"},
            {"limit": "1e3"},
            {"limit": "1_0"},
            {"limit": "１００"},
            {"limit": "1.000"},
            {"limit": "1.5"},
            {"limit": "1.000", "measure": "quantity"},
            {"feature": "unheard-of"},
            {"period": "hourly"},
            {"note": ""},
        ],
    )
    def test_what_cannot_be_meant_is_refused(self, carol: Desk, alice: Account, fields: dict[str, str]) -> None:
        page = carol.press(alice, "set-quota", **{**SET, **fields})

        assert page.context["form"].errors
        assert not Quota.objects.exists()


class TestOverriding:
    def test_holds_until_its_end_and_is_ended_earlier(self, carol: Desk, alice: Account) -> None:
        limited(alice)

        carol.confirm(alice, "override-quota", **OVERRIDE)
        row = Quota.objects.get()
        assert (row.limit, row.override_limit, row.override_reason) == (40, 90, "Launch week (SUP-7)")

        carol.confirm(alice, "end-override", **KNOWN)
        row.refresh_from_db()
        assert (row.limit, row.override_limit) == (40, None)

    def test_that_ended_already_is_refused(self, carol: Desk, alice: Account) -> None:
        page = carol.press(alice, "override-quota", **{**OVERRIDE, "until": "2020-01-01T00:00"})

        assert page.context["form"].errors == {"until": ["The end lies in the past."]}

    def test_lasts_a_month_and_no_longer(self, carol: Desk, alice: Account) -> None:
        page = carol.press(alice, "override-quota", **{**OVERRIDE, "until": "9999-12-31T00:00"})

        told = "An override lasts 31 days at the most. For good, Support lead may set the quota."
        assert page.context["form"].errors == {"until": [told]}
        assert "confirmation" in text(carol.press(alice, "override-quota", **{**OVERRIDE, "until": soon(30)}))
        assert page.context["form"].errors
        assert carol.press(alice, "override-quota", **{**OVERRIDE, "until": soon(32)}).context["form"].errors

    @pytest.mark.parametrize(
        "until",
        ["12/11/2026 10:00", "11.10.2026", "2026/12/11", "２０２６-12-11", "2026-12-11T10", "2026-02-30", "20261211"],
    )
    def test_takes_a_moment_one_way(self, carol: Desk, alice: Account, until: str) -> None:
        page = carol.press(alice, "override-quota", **{**OVERRIDE, "until": until})

        assert page.context["form"].errors == {"until": ["Enter a valid date and time, as in 2026-12-31T18:30."]}

    def test_is_not_hindered_by_use_meanwhile_but_by_another_limit(self, carol: Desk, alice: Account) -> None:
        limited(alice)
        signed = confirmation(carol.press(alice, "override-quota", **OVERRIDE))
        spend(alice, 5)
        assert carol.press(alice, "override-quota", **OVERRIDE, confirmation=signed).status_code == 302

        signed = confirmation(carol.press(alice, "override-quota", **OVERRIDE))
        limited(alice, 60)
        assert "has changed since" in text(carol.press(alice, "override-quota", **OVERRIDE, confirmation=signed))

    def test_is_offered_beside_the_quota_with_its_name(self, carol: Desk, alice: Account) -> None:
        limited(alice, key=CALLS)
        query = "?feature=ml-analysis&amp;period=daily&amp;measure=quantity"
        assert f"override-quota/{query}" in text(carol.get(f"credits/account/{alice.pk}/change/"))

        page = text(carol.get(f"credits/account/{alice.pk}/override-quota/{query.replace('&amp;', '&')}"))

        for value in ("ml-analysis", "daily", "quantity"):
            assert f'<option value="{value}" selected' in page


class TestResetting:
    def test_lets_it_begin_anew(self, carol: Desk, alice: Account) -> None:
        limited(alice)
        spend(alice, 40)

        preview = carol.press(alice, "reset-quota", **KNOWN)
        used = next(row for row in preview.context["changes"] if row.label == "Used")
        assert (used.before, used.after) == ("40", "0")
        carol.confirm(alice, "reset-quota", **KNOWN)

        assert spend(alice, 40).amount == -40

    def test_of_none_has_nothing_to_choose(self, carol: Desk, alice: Account) -> None:
        page = carol.press(alice, "reset-quota", **KNOWN)

        assert page.context["form"].errors["quota"]
