from __future__ import annotations

from decimal import Decimal

import pytest

from credits import refusals
from credits.models import Account, Transaction
from credits.services import movements
from tests.factories import hold, make_account, memo


def adjust(account: Account, delta: int, **more: object):
    said = memo(reason="goodwill", description="Slow on Tuesday")
    return movements.adjust_balance(account=account.pk, delta=Decimal(delta), memo=said, **more)


class TestAnAdjustment:
    def test_adds_a_difference_with_its_reason(self, alice: Account) -> None:
        movement = adjust(alice, 5)

        assert (movement.kind, movement.amount, movement.balance_after) == ("adjustment", 5, 105)
        assert Transaction.objects.get(pk=movement.id).reason == "goodwill"

    def test_takes_a_difference_away(self, alice: Account) -> None:
        assert adjust(alice, -40).balance_after == 60

    def test_needs_a_reason(self, alice: Account) -> None:
        with pytest.raises(refusals.InvalidField) as refused:
            movements.adjust_balance(account=alice.pk, delta=Decimal(5), memo=memo())

        assert refused.value.field == "reason"

    @pytest.mark.parametrize("overdraft", [0, 50])
    def test_may_not_pass_zero_whatever_the_overdraft(self, database: None, overdraft: int) -> None:
        carl = make_account(external_id="carl", balance=100, overdraft_limit=Decimal(overdraft))

        with pytest.raises(refusals.InsufficientCredits):
            adjust(carl, -101)

    def test_leaves_what_is_held(self, alice: Account) -> None:
        hold(alice, 90)

        with pytest.raises(refusals.InsufficientCredits):
            adjust(alice, -11)

    def test_may_leave_a_debt_where_allowed(self, alice: Account) -> None:
        movement = adjust(alice, -130, allow_debt=True)

        alice.refresh_from_db()
        assert (movement.amount, movement.debt, alice.balance, alice.debt) == (-100, 30, 0, 30)

    def test_may_not_owe_more_than_a_debt_can_hold(self, bob: Account) -> None:
        for _ in range(99):
            adjust(bob, -(10**12), allow_debt=True)

        with pytest.raises(refusals.BalanceLimit):
            adjust(bob, -(10**12), allow_debt=True)

    def test_made_twice_by_the_same_person_is_two(self, alice: Account) -> None:
        assert adjust(alice, 5).id != adjust(alice, 5).id
