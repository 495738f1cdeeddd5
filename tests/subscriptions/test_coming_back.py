"""A plan that is left and taken again before its month is over: a cap cuts what the time that ended has left."""

from __future__ import annotations

from decimal import Decimal

import pytest

from credits.models import Account
from credits.plan.allotments import beyond_cap
from credits.services.locks import read_account
from tests.factories import spend
from tests.subscriptions.factories import at, balance, cancel, make_plan, subscribe, upgrade


def lapsed(account: Account) -> Decimal:
    return -sum((row.amount for row in account.transactions.filter(kind="expiry")), Decimal(0))


class TestComingBack:
    def test_on_the_same_day_loses_nothing(self, ada: Account) -> None:
        """10,000 came for this month, and 5,000 may roll over: they are this month's still."""
        cancel(subscribe(ada, "PREMIUM", "01-01"), "01-01 12:00", at_period_end=False)

        subscribe(ada, "PREMIUM", "01-01 12:00")

        # What half a day had used up comes anew, rounded up.
        assert (balance(ada, "01-01 12:00"), lapsed(ada)) == (10_162, 0)

    def test_cuts_down_what_the_time_that_is_over_left(self, ada: Account) -> None:
        """Of what came on January 1st a half is meant for the rest of January; of the other half 5,000 roll over."""
        cancel(subscribe(ada, "PREMIUM", "01-01"), "01-16 12:00", at_period_end=False)
        subscribe(ada, "PREMIUM", "01-16 12:00")
        assert (balance(ada, "01-16 12:00"), lapsed(ada)) == (15_000, 0)
        cancel(ada.subscriptions.get(ended_at=None), "02-01", at_period_end=False)

        subscribe(ada, "PREMIUM", "02-01")

        assert (balance(ada, "02-01"), lapsed(ada)) == (15_000, 5000)

    @pytest.mark.parametrize("days", [1, 2, 3, 7])
    def test_every_few_days_gains_nothing(self, ada: Account, days: int) -> None:
        """However often, there is no more than a month's credits and what rolls over, and one rounded up."""
        for day in range(1, 28, days):
            subscribe(ada, "PREMIUM", f"01-{day:02}")
            cancel(ada.subscriptions.get(ended_at=None), f"01-{day:02} 12:00", at_period_end=False)
            assert balance(ada, f"01-{day:02} 12:00") <= 15_001

    def test_to_a_smaller_plan_keeps_what_its_month_has_had(self, ada: Account) -> None:
        make_plan("BASIC", 5, monthly_credits=100, rollover_cap=50)
        cancel(subscribe(ada, "PREMIUM", "01-01"), "01-01", at_period_end=False)

        subscribe(ada, "BASIC", "01-01")

        assert (balance(ada, "01-01"), lapsed(ada)) == (10_000, 0)
        # With the month they roll over as the smaller plan's do.
        assert balance(ada, "02-01") == 150

    def test_after_spending_cuts_nothing(self, ada: Account) -> None:
        cancel(subscribe(ada, "PREMIUM", "01-01"), "01-16 12:00", at_period_end=False)
        spend(ada, 9000, at=at("01-16 12:00"))

        subscribe(ada, "PREMIUM", "01-16 12:00")

        assert (balance(ada, "01-16 12:00"), lapsed(ada)) == (6000, 0)


class TestALongerPeriod:
    def test_begun_early_loses_nothing(self, ada: Account) -> None:
        make_plan("YEAR", 30, monthly_credits=10_000, interval="year", rollover_cap=5000)
        row = subscribe(ada, "PREMIUM", "01-01")

        upgrade(row, "YEAR", "01-01")

        assert (balance(ada, "01-01"), lapsed(ada)) == (10_000, 0)


class TestWhatWouldLapse:
    def test_is_foretold_by_what_cuts_it(self, ada: Account) -> None:
        cancel(subscribe(ada, "PREMIUM", "01-01"), "01-31", at_period_end=False)

        sheet = read_account(ada.pk, at=at("02-01"))
        foretold = beyond_cap(sheet, Decimal(5000), Decimal(0))
        subscribe(ada, "PREMIUM", "02-01")

        assert (foretold, lapsed(ada)) == (5000, 5000)
