"""Builders of what tests start from. Each goes through the services, as everything does."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from factory.base import Factory
from factory.declarations import Sequence

from credits.models import Account, GrantCategory
from credits.plan import Actor, LotTerms, Memo, Movement, Owner, Reservation
from credits.services import accounts, holds, movements

TESTER = Actor("key", "0", "tests")


def memo(**said: Any) -> Memo:
    """Return who does it in tests, and why."""
    return Memo(TESTER, **said)


class AccountFactory(Factory[Account]):
    """An account, with a paid lot where it has a balance."""

    class Meta:
        model = Account

    external_id = Sequence(lambda number: f"owner-{number}")
    unit = "credits"
    balance = 0
    at: datetime | None = None

    @classmethod
    def _create(cls, model_class: type[Account], *args: Any, **values: Any) -> Account:
        owner = Owner(values.pop("external_id"), values.pop("unit"))
        balance, at = Decimal(str(values.pop("balance"))), values.pop("at")
        return accounts.open_account(
            owner=owner, memo=memo(), opening_balance=balance, particulars=accounts.Particulars(**values), at=at
        )


def make_account(**values: Any) -> Account:
    """Open an account: ``external_id``, ``unit``, ``balance``, ``at`` and particulars, each with a default."""
    account: Account = AccountFactory.create(**values)
    return account


def give(
    account: Account,
    amount: float | Decimal,
    category: GrantCategory = GrantCategory.PAID,
    *,
    at: datetime | None = None,
    because: Memo | None = None,
    **terms: Any,
) -> Movement:
    """Add a lot to an account."""
    return movements.add_credits(
        account=account.pk,
        amount=Decimal(str(amount)),
        memo=because or memo(),
        terms=LotTerms(category=category, **terms),
        at=at,
    )


def spend(account: Account, amount: float | Decimal, *, at: datetime | None = None, **said: Any) -> Movement:
    """Spend from an account."""
    return movements.spend_credits(account=account.pk, amount=Decimal(str(amount)), memo=memo(**said), at=at)


def hold(account: Account, amount: float | Decimal, *, at: datetime | None = None, **terms: Any) -> Reservation:
    """Hold credits of an account, for a quarter of an hour unless said."""
    lasting = terms.pop("lasting", timedelta(minutes=15))
    charge = Decimal(str(terms.pop("abandonment_charge", 0)))
    return holds.hold_credits(
        account=account.pk,
        amount=Decimal(str(amount)),
        memo=memo(**terms),
        lasting=lasting,
        abandonment_charge=charge,
        at=at,
    )
