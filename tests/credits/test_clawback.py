"""Credits whose payment was taken back or is disputed: exactly the lot that it bought, and never twice."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import given as generated
from hypothesis import strategies as st

from credits import plan, refusals
from credits.models import Account, Grant, Hold, HoldStatus, Transaction
from credits.plan import Movement
from credits.services import clawback, corrections, holds
from credits.services.locks import read_account
from tests.factories import give, hold, make_account, memo, spend


def take_back(bought: Movement, total: float, **how: Any) -> Movement | None:
    return clawback.take_back(bought=bought.id, total=Decimal(str(total)), memo=memo(), **how)


def standing(account: Account) -> tuple[Decimal, Decimal, Decimal]:
    """Return balance, held and debt."""
    sheet = read_account(account.pk)
    return sheet.balance, sheet.held, sheet.debt


class TestARefund:
    def test_takes_from_the_lot_that_was_paid_for_and_no_other(self, bob: Account) -> None:
        bought = give(bob, 100)
        give(bob, 50, priority=10)

        moved = take_back(bought, 100)

        assert moved is not None
        assert (moved.kind, moved.counterparty, moved.parent_id) == ("clawback", "chargebacks", bought.id)
        assert standing(bob) == (50, 0, 0)
        assert Grant.objects.get(pk=plan.lot_of(bought)).remaining == 0

    def test_owes_what_is_spent_and_new_credits_repay_it_first(self, bob: Account) -> None:
        bought = give(bob, 100)
        spend(bob, 70)

        take_back(bought, 100)
        assert standing(bob) == (0, 0, 70)
        give(bob, 100)

        assert standing(bob) == (30, 0, 0)

    def test_is_cumulative(self, bob: Account) -> None:
        bought = give(bob, 100)

        assert take_back(bought, 30) is not None
        assert take_back(bought, 30) is None
        assert take_back(bought, 45) is not None

        assert standing(bob) == (55, 0, 0)

    def test_does_not_owe_what_expired(self, bob: Account) -> None:
        now = timezone.now()
        bought = give(bob, 100, expires_at=now + timedelta(days=1))
        spend(bob, 40)

        clawback.take_back(bought=bought.id, total=Decimal(100), memo=memo(), at=now + timedelta(days=2))

        assert standing(bob) == (0, 0, 40)
        assert take_back(bought, 100) is None

    def test_leaves_other_holds_alone_until_they_end(self, bob: Account) -> None:
        bought = give(bob, 100)
        held = hold(bob, 60)

        take_back(bought, 100)
        assert standing(bob) == (60, 60, 60)
        holds.release_hold(hold=held.id)

        assert standing(bob) == (0, 0, 0)

    def test_of_more_than_was_bought_is_refused(self, bob: Account) -> None:
        with pytest.raises(refusals.InvalidField):
            take_back(give(bob, 100), 101)

    def test_of_a_reversed_purchase_takes_nothing_more(self, bob: Account) -> None:
        bought = give(bob, 100)
        corrections.reverse_transaction(transaction=bought.id, memo=memo())

        assert take_back(bought, 100) is None
        assert standing(bob) == (0, 0, 0)

    def test_leaves_nothing_to_reverse(self, bob: Account) -> None:
        bought = give(bob, 100)
        take_back(bought, 40)

        with pytest.raises(refusals.NotReversible):
            corrections.reverse_transaction(transaction=bought.id, memo=memo())

    def test_of_a_spend_is_refused(self, alice: Account) -> None:
        with pytest.raises(refusals.NotReversible):
            take_back(spend(alice, 1), 0)


class TestADispute:
    def test_freezes_what_is_left(self, bob: Account) -> None:
        bought = give(bob, 100, expires_at=timezone.now() + timedelta(days=1))
        spend(bob, 30)

        take_back(bought, 0, frozen=True)
        take_back(bought, 0, frozen=True)

        assert standing(bob) == (70, 70, 0)
        with pytest.raises(refusals.InsufficientCredits):
            spend(bob, 1)
        assert Hold.objects.filter(status=HoldStatus.OPEN).count() == 1

    @pytest.mark.parametrize("verb", [holds.release_hold, holds.capture_hold, holds.extend_hold])
    def test_ends_a_freeze_and_nobody_else_does(self, bob: Account, verb: Any) -> None:
        take_back(give(bob, 100), 0, frozen=True)
        more: dict[str, Any] = {"lasting": timedelta(days=9)} if verb is holds.extend_hold else {}
        more |= {"memo": memo()} if verb is holds.capture_hold else {}

        with pytest.raises(refusals.HoldIsFreeze):
            verb(hold=Hold.objects.get().pk, **more)

    def test_that_is_won_reinstates(self, bob: Account) -> None:
        bought = give(bob, 100)
        spend(bob, 30)
        take_back(bought, 0, frozen=True)

        assert take_back(bought, 0) is None

        assert standing(bob) == (70, 0, 0)

    def test_that_is_lost_claws_back(self, bob: Account) -> None:
        bought = give(bob, 100)
        spend(bob, 30)
        take_back(bought, 0, frozen=True)

        take_back(bought, 100)

        assert standing(bob) == (0, 0, 30)

    def test_lost_and_then_won_gives_everything_back(self, bob: Account) -> None:
        bought = give(bob, 100)
        spend(bob, 30)
        take_back(bought, 100)

        take_back(bought, 0)

        assert standing(bob) == (70, 0, 0)
        assert Grant.objects.get().remaining == 70

    def test_won_after_the_debt_was_repaid_gives_a_lot_of_its_own(self, bob: Account) -> None:
        bought = give(bob, 100)
        spend(bob, 30)
        take_back(bought, 100)
        give(bob, 40)
        assert standing(bob) == (10, 0, 0)

        take_back(bought, 0)

        assert standing(bob) == (110, 0, 0)
        assert Grant.objects.order_by("-id")[0].remaining == 30

    def test_keeps_its_freeze_when_a_part_is_refunded(self, bob: Account) -> None:
        bought = give(bob, 100)
        take_back(bought, 0, frozen=True)

        take_back(bought, 40, frozen=True)

        assert standing(bob) == (60, 60, 0)


class TestAnyOrder:
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @generated(
        bought=st.integers(1, 50),
        other=st.integers(0, 30),
        steps=st.lists(
            st.tuples(st.sampled_from(["claim", "freeze", "spend", "give"]), st.integers(0, 50)), min_size=1, max_size=8
        ),
    )
    def test_ends_as_an_accountant_reckons(
        self, db: None, bought: int, other: int, steps: list[tuple[str, int]]
    ) -> None:
        """Balance less debt is what came in, less what was used and what was claimed last."""
        account = make_account()
        movement = give(account, bought)
        came_in, used, claimed = bought, 0, 0
        if other:
            give(account, other)
            came_in += other
        for verb, amount in steps:
            if verb in {"claim", "freeze"}:
                claimed = min(amount, bought)
                take_back(movement, claimed, frozen=verb == "freeze")
            elif verb == "give" and amount:
                give(account, amount)
                came_in += amount
            elif amount and read_account(account.pk).available >= amount:
                spend(account, amount)
                used += amount
        balance, held, debt = standing(account)

        assert balance - debt == came_in - used - claimed
        assert held <= balance

    def test_is_one_transaction_for_the_last_word(self, bob: Account) -> None:
        bought = give(bob, 100)

        for total in (10, 100, 0, 50):
            take_back(bought, total)

        assert standing(bob) == (50, 0, 0)
        moved = Transaction.objects.filter(parent=bought.id).values_list("amount", flat=True)
        assert sum(moved) == -50
