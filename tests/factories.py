"""Builders of what tests start from. Each goes through the services, as everything does."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.test import override_settings
from factory.base import Factory
from factory.declarations import Sequence

from credits.models import Account, GrantCategory, Price, UnpricedUsage
from credits.plan import Actor, LotTerms, Memo, Movement, Owner, Reservation, Usage
from credits.services import accounts, allowances, holds, movements, prices, usage

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


def price(subject: str = "ml-analysis", scheme: str = "fixed", *, unit: str = "credits", **terms: Any) -> Price:
    """Add a price of a feature, or of a model where the subject says ``model:…``. By default 50 a call."""
    model = subject.removeprefix("model:") if subject.startswith("model:") else ""
    at, effective_at = terms.pop("at", None), terms.pop("effective_at", None)
    offer = prices.Offer(
        unit=unit,
        scheme=scheme,
        terms=terms or {"amount": 50},
        feature="" if model else subject,
        model=model,
        effective_at=effective_at,
    )
    return prices.add_prices(offers=[offer], actor="tests", at=at)[0]


def charge(account: Account, feature: str = "ml-analysis", *, at: datetime | None = None, **use: Any) -> Movement:
    """Charge a use; ``trace`` makes it once."""
    trace = use.pop("trace", "")
    because = memo(reference_type="trace", reference_id=trace) if trace else memo()
    return usage.charge_usage(account=account.pk, usage=Usage(feature=feature, **use), memo=because, at=at)


def unpriced(account: Account, model: str = "gpt-9", *, charged: int = 5, **use: Any) -> UnpricedUsage:
    """Charge a use of something without a price provisionally."""
    with override_settings(UNPRICED_USAGE="quarantine", UNPRICED_CHARGE=Decimal(charged)):
        movement = charge(account, "", model=model, **({"input_tokens": 1_000_000} | use))
    return UnpricedUsage.objects.get(transaction=movement.id)


def allowance(
    code: str = "pro", features: tuple[str, ...] = (), *limits: allowances.Limit, default: bool = False
) -> str:
    """Make an allowance, of unit credits."""
    made = allowances.add_allowance(code=code, unit="credits", features=features, limits=limits)
    if default:
        allowances.make_default(code=code)
    return made.pk
