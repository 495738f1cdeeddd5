from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from credits import refusals
from credits.models import Account, GrantCategory, Transaction
from credits.services import corrections, holds, movements
from credits.services.transfers import transfer_credits
from tests.books import Books
from tests.factories import give, hold, memo, spend


def reverse(movement, **more):
    return corrections.reverse_transaction(transaction=movement.id, memo=memo(), **more)


class TestAReversal:
    def test_of_a_spend_gives_it_back(self, alice: Account) -> None:
        spent = spend(alice, 30)

        undone = reverse(spent)

        assert (undone.kind, undone.amount, undone.balance_after, undone.parent_id) == ("reversal", 30, 100, spent.id)

    def test_of_a_spend_partly_refunded_gives_back_the_rest(self, alice: Account) -> None:
        spent = spend(alice, 30)
        corrections.refund_transaction(transaction=spent.id, amount=Decimal(10), memo=memo())

        assert reverse(spent).amount == 20

    def test_of_a_topup_takes_its_lot(self, alice: Account) -> None:
        paid = give(alice, 40)

        assert (reverse(paid).amount, Account.objects.get().balance) == (-40, 100)

    def test_of_a_topup_that_was_spent_is_refused(self, bob: Account, books: Books) -> None:
        paid = give(bob, 40)
        spend(bob, 15)
        before = books()

        with pytest.raises(refusals.InsufficientCredits, match="25 of it is left"):
            reverse(paid)

        assert books() == before

    def test_leaves_a_debt_where_allowed(self, bob: Account) -> None:
        paid = give(bob, 40)
        spend(bob, 40)

        undone = reverse(paid, allow_debt=True)

        assert (undone.amount, undone.debt, Account.objects.get().debt) == (0, 40, 40)

    def test_of_an_adjustment_gives_it_back(self, alice: Account) -> None:
        taken = movements.adjust_balance(account=alice.pk, delta=Decimal(-40), memo=memo(reason="correction"))

        assert reverse(taken).balance_after == 100

    def test_of_a_refund_takes_it_again_and_lets_the_spend_be_refunded_anew(self, alice: Account) -> None:
        spent = spend(alice, 30)
        back = corrections.refund_transaction(transaction=spent.id, memo=memo())

        assert reverse(back).balance_after == 70
        assert corrections.refund_transaction(transaction=spent.id, memo=memo()).balance_after == 100

    def test_of_a_transfer_undoes_both_legs(self, alice: Account, bob: Account) -> None:
        out, into = transfer_credits(source=alice.pk, target=bob.pk, amount=Decimal(25), memo=memo())

        reverse(into)

        balances = Account.objects.order_by("external_id").values_list("balance", flat=True)
        assert list(balances) == [100, 0]
        with pytest.raises(refusals.AlreadyReversed):
            reverse(out)

    def test_happens_once(self, alice: Account) -> None:
        spent = spend(alice, 30)
        undone = reverse(spent)

        with pytest.raises(refusals.AlreadyReversed):
            reverse(spent)
        with pytest.raises(refusals.NotReversible):
            reverse(undone)
        with pytest.raises(refusals.RefundExceedsSpend):
            corrections.refund_transaction(transaction=spent.id, memo=memo())
        assert Transaction.objects.filter(kind="reversal").count() == 1


class TestAReversalOfWhatWasOwed:
    def adjust(self, account: Account, delta: int, **said: str):
        said = {"reason": "fraud", **said}
        return movements.adjust_balance(account=account.pk, delta=Decimal(delta), memo=memo(**said), allow_debt=True)

    def test_gives_back_what_was_repaid_and_forgives_the_rest(self, bob: Account) -> None:
        give(bob, 30)
        taken = self.adjust(bob, -100)
        give(bob, 40)

        undone = reverse(taken)

        bob.refresh_from_db()
        assert (undone.amount, undone.debt, bob.balance, bob.debt) == (70, -30, 70, 0)

    def test_leaves_another_debt_as_it_is_worth(self, bob: Account) -> None:
        give(bob, 30)
        first = self.adjust(bob, -100)
        self.adjust(bob, -50)
        give(bob, 70)

        reverse(first)

        bob.refresh_from_db()
        assert bob.balance - bob.debt == 50

    def test_works_where_nothing_was_taken(self, bob: Account) -> None:
        owed = self.adjust(bob, -50)

        assert (reverse(owed).debt, Account.objects.get().debt) == (-50, 0)

    def test_is_known_by_its_reference(self, bob: Account) -> None:
        first = self.adjust(bob, -50, reference_type="case", reference_id="c-1")

        assert self.adjust(bob, -50, reference_type="case", reference_id="c-1").id == first.id


class TestAReversalOfARefund:
    def test_of_a_reversed_spend_is_refused(self, alice: Account) -> None:
        spent = spend(alice, 5)
        back = corrections.refund_transaction(transaction=spent.id, amount=Decimal(2), memo=memo())
        reverse(spent)

        with pytest.raises(refusals.AlreadyReversed):
            reverse(back)

    def test_takes_each_lots_own_part(self, bob: Account) -> None:
        one, two = give(bob, 5, priority=1), give(bob, 50, priority=2)
        back = corrections.refund_transaction(transaction=spend(bob, 10).id, memo=memo())

        assert sorted(reverse(back).draws) == sorted([(one.draws[0][0], -5), (two.draws[0][0], -5)])


class TestAReference:
    """One reference, several movements that could be meant."""

    def test_of_a_reversal_means_one_movement(self, alice: Account) -> None:
        first, second = spend(alice, 5), spend(alice, 5)
        case = {"reference_type": "case", "reference_id": "c-1"}
        undone = corrections.reverse_transaction(transaction=first.id, memo=memo(**case))

        assert corrections.reverse_transaction(transaction=first.id, memo=memo(**case)).id == undone.id
        with pytest.raises(refusals.ReferenceConflict):
            corrections.reverse_transaction(transaction=second.id, memo=memo(**case))

    @pytest.mark.parametrize("amount", [None, Decimal(5)])
    def test_of_a_refund_means_one_spend(self, alice: Account, amount: Decimal | None) -> None:
        first, second = spend(alice, 5), spend(alice, 5)
        case = memo(reference_type="case", reference_id="c-1")
        back = corrections.refund_transaction(transaction=first.id, amount=amount, memo=case)

        assert corrections.refund_transaction(transaction=first.id, amount=amount, memo=case).id == back.id
        with pytest.raises(refusals.ReferenceConflict):
            corrections.refund_transaction(transaction=second.id, amount=amount, memo=case)

    def test_of_a_capture_means_one_hold(self, alice: Account) -> None:
        first, second = hold(alice, 5), hold(alice, 5)
        case = memo(reference_type="job", reference_id="j-1")
        charged, _ = holds.capture_hold(hold=first.id, memo=case)

        assert holds.capture_hold(hold=first.id, memo=case)[0].id == charged.id
        with pytest.raises(refusals.ReferenceConflict):
            holds.capture_hold(hold=second.id, memo=case)

    def test_of_a_payment_credits_once_whatever_it_is_called(self, bob: Account) -> None:
        paid = memo(reference_type="payment", reference_id="p-1")
        give(bob, 5, because=paid)

        with pytest.raises(refusals.ReferenceConflict):
            give(bob, 5, GrantCategory.TRIAL, because=paid)

    def test_of_a_trace_charges_once_at_once_or_captured(self, alice: Account) -> None:
        trace: dict[str, Any] = {"reference_type": "trace", "reference_id": "t-1"}
        spend(alice, 5, **trace)

        with pytest.raises(refusals.ReferenceConflict):
            holds.capture_hold(hold=hold(alice, 5).id, memo=memo(**trace))

    def test_of_a_hold_that_ended_holds_nothing_again(self, alice: Account) -> None:
        job: dict[str, Any] = {"reference_type": "job", "reference_id": "j-1"}
        holds.release_hold(hold=hold(alice, 5, **job).id)

        with pytest.raises(refusals.HoldClosed):
            hold(alice, 5, **job)
