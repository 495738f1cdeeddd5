from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest

from credits import refusals
from credits.models import Account, Grant
from credits.services import accounts
from credits.services.transfers import transfer_credits
from tests.books import Books
from tests.factories import give, make_account, memo

SOON = datetime(2099, 1, 1, tzinfo=UTC)


def transfer(source: Account, target: Account, amount: int, **said):
    return transfer_credits(source=source.pk, target=target.pk, amount=Decimal(amount), memo=memo(**said))


class TestATransfer:
    def test_moves_between_two_accounts(self, alice: Account, bob: Account) -> None:
        out, into = transfer(alice, bob, 25)

        assert (out.amount, out.balance_after, into.amount, into.balance_after) == (-25, 75, 25, 25)
        assert into.parent_id == out.id

    def test_keeps_each_lots_terms(self, bob: Account, database: None) -> None:
        carl = make_account(external_id="carl")
        give(bob, 10, priority=3, expires_at=SOON, paid_currency="USD", paid_minor=500)

        transfer(bob, carl, 4)

        lot = Grant.objects.get(account=carl)
        assert (lot.amount, lot.priority, lot.expires_at, lot.paid_minor) == (4, 3, SOON, 200)
        assert lot.origin == Grant.objects.get(account=bob)

    def test_leaves_what_may_not_move(self, alice: Account, bob: Account) -> None:
        give(alice, 50, transferable=False, priority=1)

        with pytest.raises(refusals.InsufficientCredits) as refused:
            transfer(alice, bob, 101)
        transfer(alice, bob, 100)

        assert refused.value.members["available"] == 100
        assert Account.objects.get(pk=alice.pk).balance == 50

    def test_with_a_reference_happens_once(self, alice: Account, bob: Account) -> None:
        first = transfer(alice, bob, 25, reference_type="gift", reference_id="g-1")

        assert [leg.id for leg in transfer(alice, bob, 25, reference_type="gift", reference_id="g-1")] == [
            leg.id for leg in first
        ]


class TestARefusedTransfer:
    def test_writes_neither_leg(self, alice: Account, bob: Account, books: Books) -> None:
        accounts.close_account(account=bob.pk, memo=memo())
        before = books()

        with pytest.raises(refusals.AccountClosed):
            transfer(alice, bob, 25)

        assert books() == before

    def test_is_told_why(self, alice: Account, bob: Account) -> None:
        dora = make_account(external_id="dora", unit="USD")
        with pytest.raises(refusals.InvalidField, match="different units"):
            transfer(alice, dora, 1)
        with pytest.raises(refusals.InvalidField, match="itself"):
            transfer(alice, alice, 1)
        with pytest.raises(refusals.UnknownAccount):
            transfer_credits(source=alice.pk, target=uuid4(), amount=Decimal(1), memo=memo())
        with pytest.raises(refusals.InsufficientCredits):
            transfer(bob, alice, 1)
