"""Standing orders: each period's credits come once, whether the clock ran, ran twice or never."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from credits import refusals
from credits.models import Account, Allotment, Grant, Transaction
from credits.services import accounts, allotments, corrections, expiry
from credits.services.allotments import Order
from tests.factories import give, hold, make_account, memo, spend

START = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def account(database: None) -> Account:
    return make_account(external_id="lab", at=START)


def begin(account: Account, amount: int = 100, **more: Any) -> Allotment:
    order = Order("subscription:7", Decimal(amount), START, "UTC", "Plan PRO", **more)
    return allotments.start_allotment(account=account.pk, order=order, at=START)


def rows(account: Account) -> list[tuple[str, int]]:
    found = Transaction.objects.filter(account=account).order_by("sequence")
    return [(row.kind, int(row.amount)) for row in found]


class TestAnAllotment:
    def test_brings_its_first_period_at_once(self, account: Account) -> None:
        begin(account)

        lot = Grant.objects.get()
        assert rows(account) == [("plan", 100)]
        assert (lot.category, lot.expires_at) == ("plan", datetime(2026, 2, 28, 12, tzinfo=UTC))

    def test_brings_each_period_at_the_first_touch_after_it_began(self, account: Account) -> None:
        begin(account)

        movement = spend(account, 30, at=datetime(2026, 2, 28, 12, 0, 1, tzinfo=UTC))

        assert rows(account) == [("plan", 100), ("expiry", -100), ("plan", 100), ("usage", -30)]
        assert movement.balance_after == 70

    def test_catches_up_periods_that_nobody_touched(self, account: Account) -> None:
        begin(account)

        spend(account, 30, at=datetime(2026, 4, 30, 12, tzinfo=UTC))

        assert rows(account) == [("plan", 100), *([("expiry", -100), ("plan", 100)] * 3), ("usage", -30)]
        assert Allotment.objects.get().next_at == datetime(2026, 5, 31, 12, tzinfo=UTC)

    @pytest.mark.parametrize("runs", [0, 1, 2, 3])
    def test_ends_in_the_same_books_however_often_and_late_the_clock_runs(self, account: Account, runs: int) -> None:
        begin(account)
        spend(account, 60, at=START + timedelta(days=1))
        for run in range(runs):
            expiry.issue_due_allotments(at=datetime(2026, 2, 28, 12, tzinfo=UTC) + timedelta(days=3 * run))

        spend(account, 10, at=datetime(2026, 3, 20, tzinfo=UTC))

        assert rows(account) == [("plan", 100), ("usage", -60), ("expiry", -40), ("plan", 100), ("usage", -10)]

    def test_leaves_paid_credits_alone(self, account: Account) -> None:
        give(account, 500, at=START)
        begin(account)

        spend(account, 1, at=datetime(2026, 3, 1, tzinfo=UTC))

        account.refresh_from_db()
        assert account.balance == 599

    def test_may_bring_less_in_its_first_period(self, account: Account) -> None:
        begin(account, first_amount=Decimal(40))

        spend(account, 1, at=datetime(2026, 3, 1, tzinfo=UTC))

        assert rows(account) == [("plan", 40), ("expiry", -40), ("plan", 100), ("usage", -1)]

    def test_may_bring_nothing_in_its_first_period(self, account: Account) -> None:
        begin(account, first_amount=Decimal(0))

        assert rows(account) == []

    def test_repays_debt_as_if_it_had_come_on_time(self, account: Account) -> None:
        begin(account, first_amount=Decimal(0))
        paid = give(account, 50, at=START)
        spend(account, 50, at=START)
        from_lot = owed_for(paid.id)

        spend(account, 1, at=datetime(2026, 4, 1, tzinfo=UTC))

        assert from_lot == 50
        assert ("clawback", -50) in rows(account)


class TestRollover:
    def test_keeps_what_is_left_up_to_the_cap(self, account: Account) -> None:
        begin(account, rollover_cap=Decimal(50))
        spend(account, 20, at=START)

        spend(account, 10, at=datetime(2026, 2, 28, 12, tzinfo=UTC))

        assert rows(account) == [("plan", 100), ("usage", -20), ("expiry", -30), ("plan", 100), ("usage", -10)]

    def test_over_months_never_holds_more_than_cap_and_period(self, account: Account) -> None:
        begin(account, rollover_cap=Decimal(50))

        spend(account, 1, at=datetime(2026, 7, 1, tzinfo=UTC))

        account.refresh_from_db()
        assert account.balance == 149

    def test_leaves_bought_credits_alone_whatever_they_are_called(self, account: Account) -> None:
        begin(account, rollover_cap=Decimal(0))
        give(account, 500, at=START, because=memo(description="allotment: made good"))

        spend(account, 1, at=datetime(2026, 3, 1, tzinfo=UTC))

        account.refresh_from_db()
        assert account.balance == 599


class TestAnEnd:
    def test_stops_at_its_moment_whether_or_not_the_clock_ran(self, account: Account) -> None:
        order = begin(account)
        allotments.end_allotment(allotment=order.pk, ends_at=datetime(2026, 2, 28, 12, tzinfo=UTC), at=START)

        with pytest.raises(refusals.InsufficientCredits):
            spend(account, 1, at=datetime(2026, 3, 1, tzinfo=UTC))

    def test_may_be_taken_back(self, account: Account) -> None:
        order = begin(account)
        allotments.end_allotment(allotment=order.pk, ends_at=datetime(2026, 2, 28, 12, tzinfo=UTC), at=START)
        allotments.end_allotment(allotment=order.pk, ends_at=None, at=START)

        assert spend(account, 1, at=datetime(2026, 3, 1, tzinfo=UTC)).balance_after == 99

    def test_comes_with_the_accounts_own(self, account: Account) -> None:
        begin(account)
        accounts.close_account(account=account.pk, memo=memo(reason="closing"), forfeit=True, at=START)

        assert expiry.issue_due_allotments(at=datetime(2026, 6, 1, tzinfo=UTC)) == 0


def test_a_held_lot_outlives_its_period(account: Account) -> None:
    begin(account)
    hold(account, 30, at=START, lasting=timedelta(days=30))

    spend(account, 1, at=datetime(2026, 3, 1, tzinfo=UTC))

    assert rows(account) == [("plan", 100), ("expiry", -70), ("plan", 100), ("usage", -1)]


def owed_for(movement: object) -> int:
    """Take back what a movement brought, though it is spent. Returns what is owed."""
    reversal = corrections.reverse_transaction(transaction=movement, memo=memo(), allow_debt=True, at=START)
    return int(reversal.debt)
