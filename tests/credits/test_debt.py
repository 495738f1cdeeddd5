from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from credits import refusals
from credits.models import Account
from credits.services import corrections, expiry, holds, movements
from credits.services.transfers import transfer_credits
from tests.factories import give, hold, make_account, memo, spend

NOW = datetime(2099, 1, 1, tzinfo=UTC)


class TestDebt:
    """Credits that come free repay it, whichever way they do, and whenever that is settled."""

    def owe(self, account: Account, amount: int) -> None:
        said = memo(reason="fraud")
        movements.adjust_balance(account=account.pk, delta=Decimal(-amount), memo=said, allow_debt=True)

    def position(self, account: Account) -> tuple[Decimal, Decimal]:
        account.refresh_from_db()
        return account.balance, account.debt

    @pytest.mark.parametrize("verb", [corrections.refund_transaction, corrections.reverse_transaction])
    def test_is_repaid_by_a_spend_given_back(self, bob: Account, verb: Any) -> None:
        give(bob, 10)
        spent = spend(bob, 10)
        self.owe(bob, 6)

        verb(transaction=spent.id, memo=memo())

        assert self.position(bob) == (4, 0)

    def test_is_repaid_when_a_hold_on_the_overdraft_ends(self, database: None) -> None:
        carl = make_account(external_id="carl", overdraft_limit=Decimal(10))
        held = hold(carl, 10)
        self.owe(carl, 5)
        give(carl, 8)
        assert self.position(carl) == (8, 5)

        holds.release_hold(hold=held.id)

        assert self.position(carl) == (3, 0)

    @pytest.mark.parametrize("touched", [[1, 5], [5]])
    def test_is_repaid_by_a_hold_that_timed_out_however_late_that_is_seen(
        self, bob: Account, touched: list[int]
    ) -> None:
        give(bob, 10, expires_at=NOW + timedelta(hours=3))
        hold(bob, 10, at=NOW, lasting=timedelta(hours=1))
        said = memo(reason="fraud")
        movements.adjust_balance(account=bob.pk, delta=Decimal(-6), memo=said, allow_debt=True, at=NOW)

        for hours in touched:
            expiry.settle_account(account=bob.pk, at=NOW + timedelta(hours=hours))

        assert self.position(bob) == (0, 0)

    def test_is_not_repaid_by_a_lot_that_has_lapsed(self, bob: Account) -> None:
        give(bob, 10, expires_at=NOW)
        spent = spend(bob, 10)
        self.owe(bob, 6)

        corrections.refund_transaction(transaction=spent.id, memo=memo(), at=NOW)

        assert self.position(bob) == (0, 6)


class TestAReversalOfCreditsThatCameIn:
    def test_does_not_reach_into_the_overdraft(self, database: None) -> None:
        carl = make_account(external_id="carl", overdraft_limit=Decimal(10))
        paid = give(carl, 10)
        held = hold(carl, 10)
        spend(carl, 5)
        holds.release_hold(hold=held.id)

        with pytest.raises(refusals.InsufficientCredits):
            corrections.reverse_transaction(transaction=paid.id, memo=memo())

    def test_of_a_refund_that_covered_an_overdraft_takes_what_there_is(self, database: None) -> None:
        carl = make_account(external_id="carl", overdraft_limit=Decimal(4))
        back = corrections.refund_transaction(transaction=spend(carl, 4).id, memo=memo())
        give(carl, 50)

        assert corrections.reverse_transaction(transaction=back.id, memo=memo()).balance_after == 46

    def test_of_a_transfer_leaves_no_debt(self, alice: Account, bob: Account) -> None:
        out, _ = transfer_credits(source=alice.pk, target=bob.pk, amount=Decimal(5), memo=memo())

        with pytest.raises(refusals.InvalidField):
            corrections.reverse_transaction(transaction=out.id, memo=memo(), allow_debt=True)
