from __future__ import annotations

from decimal import Decimal

import pytest

from credits import refusals
from credits.models import Account, Transaction
from credits.plan import Owner
from credits.services import accounts
from tests.factories import hold, make_account, memo, spend


class TestOpening:
    def test_derives_the_key_from_owner_and_unit(self, database: None) -> None:
        owner = Owner("alice@example.com", "credits")

        assert make_account(external_id="alice@example.com").pk == owner.account
        assert make_account(external_id="alice@example.com", unit="USD").pk != owner.account

    def test_twice_is_refused(self, alice: Account) -> None:
        with pytest.raises(refusals.AccountExists):
            make_account(external_id=alice.external_id)

    def test_in_an_unknown_unit_is_refused(self, database: None) -> None:
        with pytest.raises(refusals.InvalidField) as refused:
            make_account(unit="doubloons")

        assert refused.value.field == "unit"

    def test_with_a_balance_too_fine_leaves_no_account(self, database: None) -> None:
        with pytest.raises(refusals.InvalidField) as refused:
            make_account(balance=0.5)

        assert refused.value.field == "initial_balance"
        assert not Account.objects.exists()

    @pytest.mark.parametrize("field", ["overdraft_limit", "low_balance_threshold"])
    def test_with_a_limit_too_fine_is_refused(self, database: None, field: str) -> None:
        with pytest.raises(refusals.InvalidField) as refused:
            make_account(**{field: Decimal("0.5")})

        assert refused.value.field == field


class TestChanging:
    def test_leaves_what_is_not_given(self, alice: Account) -> None:
        accounts.change_account(account=alice.pk, particulars=accounts.Particulars(name="Alice", metadata={"a": 1}))
        accounts.change_account(account=alice.pk, particulars=accounts.Particulars(email="a@example.com"))

        alice.refresh_from_db()
        assert (alice.name, alice.email, alice.metadata, alice.balance) == ("Alice", "a@example.com", {"a": 1}, 100)

    def test_clears_what_is_named(self, database: None) -> None:
        carl = make_account(external_id="carl", low_balance_threshold=Decimal(5))

        cleared = accounts.Particulars(cleared=frozenset({"low_balance_threshold"}))
        assert accounts.change_account(account=carl.pk, particulars=cleared).low_balance_threshold is None

    def test_may_not_lower_an_overdraft_that_is_used(self, database: None) -> None:
        carl = make_account(external_id="carl", overdraft_limit=Decimal(50))
        spend(carl, 40)

        with pytest.raises(refusals.InvalidField):
            accounts.change_account(account=carl.pk, particulars=accounts.Particulars(overdraft_limit=Decimal(39)))


class TestClosing:
    def test_an_empty_account_is_for_ever(self, bob: Account) -> None:
        assert accounts.close_account(account=bob.pk, memo=memo(reason="closing")).status == "closed"

        for verb in (
            lambda: accounts.close_account(account=bob.pk, memo=memo()),
            lambda: accounts.freeze_account(account=bob.pk, reason=""),
            lambda: accounts.unfreeze_account(account=bob.pk),
            lambda: accounts.change_account(account=bob.pk, particulars=accounts.NOTHING),
            lambda: spend(bob, 1),
            lambda: hold(bob, 1),
        ):
            with pytest.raises(refusals.AccountClosed):
                verb()

    def test_one_with_credits_is_refused_unless_they_are_given_up(self, alice: Account) -> None:
        with pytest.raises(refusals.AccountNotEmpty):
            accounts.close_account(account=alice.pk, memo=memo())

        accounts.close_account(account=alice.pk, memo=memo(description="Left us"), forfeit=True)

        given_up = Transaction.objects.get(kind="adjustment")
        assert (given_up.amount, given_up.balance_after, given_up.description) == (-100, 0, "Left us")

    def test_one_with_an_open_hold_is_refused(self, alice: Account) -> None:
        hold(alice, 1)

        with pytest.raises(refusals.AccountNotEmpty):
            accounts.close_account(account=alice.pk, memo=memo(), forfeit=True)
