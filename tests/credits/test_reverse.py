from __future__ import annotations

from decimal import Decimal

import pytest

from credits import refusals
from credits.models import Account, Transaction
from credits.services import corrections, movements
from credits.services.transfers import transfer_credits
from tests.books import Books
from tests.factories import give, memo, spend


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
