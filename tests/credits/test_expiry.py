from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from credits import refusals
from credits.models import Account, Grant, Transaction
from credits.services import expiry
from credits.services.locks import read_account
from tests.factories import give, hold, spend

NOW = datetime(2099, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class TestALotThatExpired:
    def test_a_second_ago_cannot_be_spent_though_no_clock_ran(self, bob: Account) -> None:
        give(bob, 100, expires_at=NOW)

        with pytest.raises(refusals.InsufficientCredits) as refused:
            spend(bob, 1, at=NOW + SECOND)

        assert refused.value.members["available"] == 0

    def test_is_not_shown_though_no_clock_ran(self, bob: Account) -> None:
        give(bob, 100, expires_at=NOW)

        assert read_account(bob.pk, at=NOW + SECOND).balance == 0
        assert Transaction.objects.count() == 1

    def test_can_be_spent_until_the_last_microsecond(self, bob: Account) -> None:
        give(bob, 100, expires_at=NOW)

        assert spend(bob, 100, at=NOW - timedelta(microseconds=1)).balance_after == 0

    def test_takes_only_itself(self, bob: Account) -> None:
        paid = give(bob, 100)
        give(bob, 50, expires_at=NOW)
        spend(bob, 20)

        assert expiry.expire_due_lots(at=NOW) == 1

        bob.refresh_from_db()
        gone = Transaction.objects.get(kind="expiry")
        assert (gone.amount, gone.counterparty, bob.balance) == (-30, "expired", 100)
        assert Grant.objects.get(is_open=True).pk == paid.draws[0][0]

    def test_expires_once_however_often_the_clock_runs(self, bob: Account) -> None:
        give(bob, 50, expires_at=NOW)

        assert [expiry.expire_due_lots(at=NOW + SECOND) for _ in range(3)] == [1, 0, 0]
        assert Transaction.objects.filter(kind="expiry").count() == 1

    def test_is_posted_with_the_next_movement(self, bob: Account) -> None:
        give(bob, 50, expires_at=NOW)
        give(bob, 50)

        spend(bob, 10, at=NOW + SECOND)

        kinds = Transaction.objects.order_by("sequence").values_list("kind", "balance_after")
        assert list(kinds)[2:] == [("expiry", 50), ("usage", 40)]

    def test_wholly_held_waits_for_the_hold(self, bob: Account) -> None:
        give(bob, 50, expires_at=NOW)
        hold(bob, 50, lasting=timedelta(days=36500))

        assert expiry.expire_due_lots(at=NOW) == 0
