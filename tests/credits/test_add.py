from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from credits import refusals
from credits.models import Account, Grant, GrantCategory, Transaction
from credits.plan import Owner
from credits.services import accounts, corrections, movements
from tests.factories import give, memo, spend


class TestCreditsThatComeIn:
    @pytest.mark.parametrize(
        ("category", "kind", "counterparty"),
        [("paid", "topup", "sales"), ("plan", "plan", "sales"), ("trial", "trial", "promotions"),
         ("promotional", "promotion", "promotions")],
    )  # fmt: skip
    def test_are_a_lot_and_a_movement_of_their_kind(
        self, bob: Account, category: str, kind: str, counterparty: str
    ) -> None:
        movement = give(bob, 50, GrantCategory(category))

        lot = Grant.objects.get()
        assert (lot.category, lot.amount, lot.remaining, lot.opening_sequence) == (category, 50, 50, movement.sequence)
        assert (movement.kind, movement.counterparty, movement.draws) == (kind, counterparty, [(lot.pk, 50)])

    def test_keep_what_was_paid_and_where_they_came_from(self, bob: Account) -> None:
        give(bob, 50, paid_currency="USD", paid_minor=999, because=memo(reference_type="payment", reference_id="pi_1"))

        lot = Grant.objects.get()
        assert (lot.paid_currency, lot.paid_minor, lot.source) == ("USD", 999, "payment:pi_1")

    def test_come_in_once_for_a_payment(self, bob: Account) -> None:
        paid = memo(reference_type="payment", reference_id="pi_1")

        assert give(bob, 50, because=paid).id == give(bob, 50, because=paid).id
        assert Grant.objects.count() == 1

    def test_open_the_account_where_asked(self, database: None) -> None:
        owner = Owner("eve", "credits")

        movement = movements.add_credits(account=owner.account, amount=Decimal(5), memo=memo(), owner=owner)

        assert (movement.balance_after, Account.objects.get().external_id) == (5, "eve")

    def test_may_come_to_a_frozen_account_but_not_to_a_closed_one(self, bob: Account) -> None:
        accounts.freeze_account(account=bob.pk, reason="")
        give(bob, 1)
        accounts.close_account(account=bob.pk, memo=memo(), forfeit=True)

        with pytest.raises(refusals.AccountClosed):
            give(bob, 1)

    def test_may_not_have_expired_already(self, bob: Account) -> None:
        with pytest.raises(refusals.InvalidField, match="expired"):
            give(bob, 1, expires_at=datetime(2020, 1, 1, tzinfo=UTC))

    def test_may_not_burst_the_balance(self, bob: Account) -> None:
        Account.objects.filter(pk=bob.pk).update(external_id=bob.external_id)
        for _ in range(99):
            give(bob, 10**12)

        with pytest.raises(refusals.BalanceLimit):
            give(bob, 10**12)


class TestDebt:
    def test_is_repaid_by_what_comes_in_next(self, bob: Account) -> None:
        paid = give(bob, 100)
        spend(bob, 70)
        corrections.reverse_transaction(transaction=paid.id, memo=memo(), allow_debt=True)
        bob.refresh_from_db()
        assert (bob.balance, bob.debt) == (0, 70)

        give(bob, 50)
        bob.refresh_from_db()
        assert (bob.balance, bob.debt) == (0, 20)

        give(bob, 50)
        bob.refresh_from_db()
        assert (bob.balance, bob.debt) == (30, 0)
        kinds = Transaction.objects.filter(account=bob).order_by("sequence").values_list("kind", "amount", "debt")
        assert list(kinds) == [
            ("topup", 100, 0), ("usage", -70, 0), ("reversal", -30, 70),
            ("topup", 50, 0), ("clawback", -50, -50), ("topup", 50, 0), ("clawback", -20, -20),
        ]  # fmt: skip

    def test_takes_only_what_is_new(self, bob: Account) -> None:
        give(bob, 10, expires_at=datetime.now(UTC) + timedelta(days=1))
        paid = give(bob, 100)
        spend(bob, 60)
        corrections.reverse_transaction(transaction=paid.id, memo=memo(), allow_debt=True)

        bob.refresh_from_db()

        assert (bob.balance, bob.debt) == (0, 50)
