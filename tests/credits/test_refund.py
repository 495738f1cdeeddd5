from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from credits import refusals
from credits.models import Account, Grant, Transaction
from credits.services import corrections, holds
from tests.books import Books
from tests.factories import give, hold, make_account, memo, spend

NOW = datetime(2099, 1, 1, tzinfo=UTC)


def refund(movement, amount: int | None = None, **more):
    back = None if amount is None else Decimal(amount)
    return corrections.refund_transaction(transaction=movement.id, amount=back, memo=memo(**more))


class TestARefund:
    def test_gives_a_whole_spend_back(self, alice: Account) -> None:
        spent = spend(alice, 30)

        back = refund(spent)

        assert (back.kind, back.amount, back.balance_after, back.parent_id) == ("refund", 30, 100, spent.id)

    def test_returns_to_the_lots_it_came_from_last_drawn_first(self, bob: Account) -> None:
        first, second = give(bob, 10, priority=1), give(bob, 10, priority=2)
        spent = spend(bob, 15)

        assert refund(spent, 8).draws == [(second.draws[0][0], 5), (first.draws[0][0], 3)]
        assert refund(spent).draws == [(first.draws[0][0], 7)]

    def test_opens_an_emptied_lot_again(self, alice: Account) -> None:
        spent = spend(alice, 100)

        refund(spent, 1)

        assert Grant.objects.get().is_open

    @pytest.mark.parametrize("parts", [[31], [30, 1], [10, 10, 11]])
    def test_never_exceeds_the_spend(self, alice: Account, books: Books, parts: list[int]) -> None:
        spent = spend(alice, 30)
        for part in parts[:-1]:
            refund(spent, part)
        before = books()

        with pytest.raises(refusals.RefundExceedsSpend):
            refund(spent, parts[-1])

        assert books() == before

    def test_of_a_capture_works_like_one_of_a_spend(self, alice: Account) -> None:
        movement, _ = holds.capture_hold(hold=hold(alice, 30).id, amount=Decimal(20), memo=memo())

        assert refund(movement, 5).balance_after == 85

    def test_of_an_overdraft_lowers_it(self, database: None) -> None:
        carl = make_account(external_id="carl", balance=10, overdraft_limit=Decimal(50))
        spent = spend(carl, 40)

        assert refund(spent, 35).balance_after == 5
        assert Grant.objects.get().remaining == 5

    def test_of_an_overdraft_that_a_later_lot_covered_opens_a_lot(self, database: None) -> None:
        carl = make_account(external_id="carl", balance=10, overdraft_limit=Decimal(50))
        spent = spend(carl, 40)
        give(carl, 30)

        assert refund(spent).balance_after == 40
        assert sorted(Grant.objects.values_list("remaining", flat=True)) == [0, 10, 30]

    def test_of_anything_but_a_spend_is_refused(self, alice: Account) -> None:
        paid = give(alice, 5)

        with pytest.raises(refusals.NotRefundable):
            refund(paid)

    def test_of_the_unknown_is_told_so(self, alice: Account) -> None:
        with pytest.raises(refusals.UnknownTransaction):
            corrections.refund_transaction(transaction=uuid4(), memo=memo())

    def test_with_a_reference_happens_once(self, alice: Account) -> None:
        spent = spend(alice, 30)

        first = refund(spent, 5, reference_type="case", reference_id="c-1")

        assert refund(spent, 5, reference_type="case", reference_id="c-1").id == first.id

    def test_to_a_lot_that_lapsed_meanwhile_lapses_too(self, bob: Account) -> None:
        give(bob, 10, expires_at=NOW)
        spent = spend(bob, 10, at=NOW - timedelta(seconds=1))

        corrections.refund_transaction(transaction=spent.id, memo=memo(), at=NOW + timedelta(days=1))

        kinds = Transaction.objects.order_by("sequence").values_list("kind", "amount")
        assert list(kinds)[2:] == [("refund", 10), ("expiry", -10)]
