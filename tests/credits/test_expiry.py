from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from credits import plan, refusals
from credits.models import Account, Grant, Transaction
from credits.services import accounts, expiry, holds, movements
from credits.services.locks import read_account
from tests.factories import give, hold, make_account, memo, spend

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


class TestALotThatAHoldLetGo:
    def test_is_due_again(self, bob: Account) -> None:
        """The due moment was reckoned while the lot was wholly held; freed, it must count again."""
        give(bob, 5, priority=1)
        hold(bob, 5, at=NOW, lasting=timedelta(seconds=1))
        give(bob, 10, at=NOW, expires_at=NOW + timedelta(hours=1))
        held = hold(bob, 10, at=NOW, lasting=timedelta(days=30))
        give(bob, 1, at=NOW + 2 * SECOND)
        holds.release_hold(hold=held.id, at=NOW + 3 * SECOND)

        with pytest.raises(refusals.InsufficientCredits):
            spend(bob, 16, at=NOW + timedelta(hours=2))
        assert read_account(bob.pk, at=NOW + timedelta(hours=2)).balance == 6
        assert expiry.expire_due_lots(at=NOW + timedelta(hours=2)) == 1

    def test_repays_a_debt_first(self, bob: Account) -> None:
        give(bob, 20)
        held = hold(bob, 20)
        owed = memo(reason="fraud")
        movements.adjust_balance(account=bob.pk, delta=Decimal(-15), memo=owed, allow_debt=True)

        holds.release_hold(hold=held.id)

        bob.refresh_from_db()
        assert (bob.balance, bob.debt) == (5, 0)

    def test_may_cover_an_overdraft_whose_limit_was_then_lowered(self, database: None) -> None:
        carl = make_account(external_id="carl", balance=10, overdraft_limit=Decimal(10))
        held = hold(carl, 10)
        spend(carl, 10)
        holds.release_hold(hold=held.id)

        accounts.change_account(account=carl.pk, particulars=accounts.Particulars(overdraft_limit=Decimal(0)))

        carl.refresh_from_db()
        assert (carl.balance, carl.available) == (0, 0)


class TestALotThatAHoldWillNeed:
    def test_waits_for_it(self, database: None) -> None:
        """A hold placed on the overdraft alone is paid by the lot that came in since, should the limit be lowered."""
        carl = make_account(external_id="carl", overdraft_limit=Decimal(10))
        held = hold(carl, 10, lasting=timedelta(days=36500))
        give(carl, 10, expires_at=NOW)
        accounts.change_account(account=carl.pk, particulars=accounts.Particulars(overdraft_limit=Decimal(0)))

        expiry.expire_due_lots(at=NOW + SECOND)
        assert give(carl, 1, at=NOW + SECOND).balance_after == 11
        holds.release_hold(hold=held.id, at=NOW + 2 * SECOND)

        carl.refresh_from_db()
        assert carl.balance == 1


def test_one_account_that_cannot_be_settled_keeps_no_other_from_it(
    database: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    several = [make_account() for _ in range(3)]
    for account in several:
        give(account, 5, expires_at=NOW)
    broken = sorted(account.pk for account in several)[0]

    def settle(sheet):
        if sheet.id == broken:
            raise RuntimeError("broken")
        plan.settle(sheet)

    monkeypatch.setattr("credits.services.locks.settle", settle)

    assert expiry.expire_due_lots(at=NOW) == 2
    assert str(broken) in caplog.text


def test_a_lapsed_lot_pays_what_is_overdrawn_and_leaves_nothing_behind(database: None) -> None:
    """Left to an earlier lot, what was overdrawn would have kept the lapsed one spendable."""
    account = make_account(external_id="carl", overdraft_limit=Decimal(20), at=NOW)
    for amount, terms in ((6, {"priority": 1}), (10, {"expires_at": NOW + timedelta(hours=2)})):
        give(account, amount, at=NOW, **terms)
        hold(account, amount, at=NOW, lasting=timedelta(hours=1))
    spend(account, 6, at=NOW)

    expiry.settle_account(account=account.pk, at=NOW + timedelta(hours=3))

    assert list(Grant.objects.order_by("priority").values_list("remaining", flat=True)) == [6, 0]
