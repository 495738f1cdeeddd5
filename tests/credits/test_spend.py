from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from credits import refusals
from credits.models import Account, Grant, Transaction
from credits.services import accounts, movements
from tests.books import Books
from tests.factories import give, make_account, memo, spend

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class TestASpend:
    def test_lowers_the_balance_and_is_numbered(self, alice: Account) -> None:
        movement = spend(alice, 30)

        alice.refresh_from_db()
        assert (alice.balance, alice.sequence) == (70, 2)
        assert (movement.sequence, movement.balance_before, movement.balance_after) == (2, 100, 70)

    def test_is_one_row_that_says_who_and_why(self, alice: Account) -> None:
        said = memo(feature="ml-analysis", description="3 analyses", metadata={"job": "j-7"}, request_id="r-1")
        movement = movements.spend_credits(account=alice.pk, amount=Decimal(3), memo=said)

        row = Transaction.objects.get(pk=movement.id)
        assert (row.kind, row.amount, row.counterparty) == ("usage", -3, "usage")
        assert (row.feature, row.description, row.metadata, row.request_id) == (
            "ml-analysis", "3 analyses", {"job": "j-7"}, "r-1",
        )  # fmt: skip
        assert (row.actor_kind, row.actor_name) == ("key", "tests")

    def test_draws_by_priority_then_earliest_expiry_then_oldest(self, bob: Account) -> None:
        oldest = give(bob, 10)
        later = give(bob, 10, expires_at=datetime(2100, 1, 1, tzinfo=UTC))
        sooner = give(bob, 10, expires_at=datetime(2099, 1, 1, tzinfo=UTC))
        first = give(bob, 10, priority=1)

        movement = spend(bob, 35)

        assert movement.draws == [
            (first.draws[0][0], -10),
            (sooner.draws[0][0], -10),
            (later.draws[0][0], -10),
            (oldest.draws[0][0], -5),
        ]

    def test_may_use_the_overdraft_which_new_credits_cover_first(self, database: None) -> None:
        carl = make_account(external_id="carl", balance=10, overdraft_limit=Decimal(50))

        spend(carl, 40)
        carl.refresh_from_db()
        assert (carl.balance, carl.available) == (-30, 20)

        give(carl, 100)
        carl.refresh_from_db()
        assert carl.balance == 70
        assert Grant.objects.get(is_open=True).remaining == 70

    def test_is_exact_to_the_millionth(self, database: None) -> None:
        dora = make_account(external_id="dora", unit="USD", balance=1)

        spend(dora, Decimal("0.000125"))

        dora.refresh_from_db()
        assert dora.balance == Decimal("0.999875")


class TestARefusedSpend:
    def test_explains_the_shortage(self, alice: Account) -> None:
        soon = datetime.now(UTC) + timedelta(days=29)
        lot = give(alice, 20, expires_at=soon)
        give(alice, 20, expires_at=soon + timedelta(days=2))

        with pytest.raises(refusals.InsufficientCredits) as refused:
            spend(alice, 200)

        said = refused.value.members
        assert (said["needed"], said["available"], said["balance"], said["held"], said["short"]) == (
            200, 140, 140, 0, 60,
        )  # fmt: skip
        assert said["expiring"] == [{"grant_id": lot.draws[0][0], "amount": 20, "expires_at": soon}]

    @pytest.mark.parametrize("amount", ["0", "-1", "NaN", "Infinity", "-Infinity", "1e400", "0.5", "1000000000001"])
    def test_names_the_amount(self, alice: Account, amount: str) -> None:
        with pytest.raises(refusals.InvalidField) as refused:
            spend(alice, Decimal(amount))

        assert refused.value.field == "amount"

    def test_leaves_the_books_as_they_were(self, alice: Account, books: Books) -> None:
        before = books()

        with pytest.raises(refusals.InsufficientCredits):
            spend(alice, 101)

        assert books() == before

    def test_is_told_of_an_unknown_account(self, database: None, alice: Account) -> None:
        with pytest.raises(refusals.UnknownAccount):
            movements.spend_credits(account=Grant.objects.get().pk, amount=Decimal(1), memo=memo())

    def test_on_a_frozen_account_may_be_followed_by_one_after_it_thaws(self, alice: Account) -> None:
        accounts.freeze_account(account=alice.pk, reason="Fraud?")
        with pytest.raises(refusals.AccountFrozen):
            spend(alice, 1)
        give(alice, 1)

        accounts.unfreeze_account(account=alice.pk)
        assert spend(alice, 1).balance_after == 100


class TestASpendWithAReference:
    def test_happens_once_for_ever(self, alice: Account) -> None:
        first = spend(alice, 5, reference_type="trace", reference_id="t-1")
        second = spend(alice, 5, reference_type="trace", reference_id="t-1")

        assert second.id == first.id
        assert Transaction.objects.filter(kind="usage").count() == 1

    def test_refuses_another_amount(self, alice: Account) -> None:
        spend(alice, 5, reference_type="trace", reference_id="t-1")

        with pytest.raises(refusals.ReferenceConflict):
            spend(alice, 6, reference_type="trace", reference_id="t-1")

    def test_is_answered_even_when_the_credits_are_gone(self, alice: Account) -> None:
        first = spend(alice, 100, reference_type="trace", reference_id="t-1")

        assert spend(alice, 100, reference_type="trace", reference_id="t-1").id == first.id

    def test_leaves_other_kinds_and_accounts_free_to_use_it(self, alice: Account, bob: Account) -> None:
        give(bob, 5)
        spend(alice, 5, reference_type="order", reference_id="o-1")

        give(alice, 5, because=memo(reference_type="order", reference_id="o-1"))
        spend(bob, 5, reference_type="order", reference_id="o-1")

        assert Transaction.objects.filter(reference_id="o-1").count() == 3


class TestTheTimeOfAMovement:
    def test_never_goes_back(self, alice: Account) -> None:
        ahead = datetime.now(UTC) + timedelta(days=1)
        spend(alice, 1, at=ahead)

        assert spend(alice, 1, at=NOW).recorded_at == ahead
