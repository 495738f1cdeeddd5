"""The three months, day after day, in the order they happened."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from random import Random

from django.conf import settings
from django.contrib.auth.models import User

from credits.demo.cast import DAYS, Customer, customers
from credits.demo.days import Business
from credits.demo.staff import Support
from credits.models import ApiKey
from credits.plan import Actor, Memo
from credits.plan.state import QuotaKey
from credits.services import accounts, movements, quotas
from credits.services.allotments import Order, start_allotment
from credits.services.batch import post_batch
from credits.services.expiry import expire_due_lots, time_out_due_holds
from credits.services.locks import read_account
from credits.services.price_lists import import_price_file, read_price_file

SEED = 1717
PRICES = settings.BASE_DIR / "docs" / "prices.example.csv"
A_MONTH = QuotaKey("", "monthly", "credits")
A_DAY = QuotaKey("", "daily", "credits")
CALLS = QuotaKey("api-call", "daily", "quantity")
HOURS = (time(8, 12), time(13, 47), time(19, 5))


def tell(user: User, key: ApiKey, now: datetime) -> Iterator[str]:
    """Load everything that happened until ``now``. Yields a line for each stage."""
    chance = Random(SEED)  # noqa: S311  # the same story every time; nothing is secret
    business = Business(chance, Actor("key", str(key.pk), key.name))
    support = Support(user, chance)
    newcomers = list(customers(chance))
    start = datetime.combine(now.date() - timedelta(days=DAYS), time(0), UTC)
    priced = import_price_file(file=read_price_file(PRICES.read_bytes()), actor=user.get_username(), at=start)
    yield f"{len(priced)} prices"
    for day in range(DAYS + 1):
        _live(business, support, newcomers, start + timedelta(days=day), day=day, now=now)
        if day % 30 == 0 and day:
            yield f"{day} days, {len(business.customers)} accounts, {len(business.spends)} spends"
    _end(business, support, now)
    yield from support.file()


def _live(
    business: Business, support: Support, newcomers: list[Customer], midnight: datetime, *, day: int, now: datetime
) -> None:
    """Let one day pass, as far as it has passed."""
    for hour in HOURS:
        at = datetime.combine(midnight, hour, UTC) + timedelta(minutes=business.chance.randint(0, 50))
        if at >= now:
            return
        if hour is HOURS[0]:
            while newcomers and newcomers[0].joins <= day:
                _join(business, newcomers.pop(0), at)
        before = len(business.spends)
        business.hour(at, day)
    support.day(business.customers, business.spends[before:], min(at + timedelta(minutes=40), now))
    evening = min(midnight + timedelta(hours=23), now)
    expire_due_lots(at=evening)
    time_out_due_holds(at=evening)


def _join(business: Business, customer: Customer, at: datetime) -> None:
    particulars = accounts.Particulars(
        name=customer.name, email=customer.email, overdraft_limit=customer.overdraft or None
    )
    accounts.open_account(owner=customer.owner, memo=Memo(business.key), particulars=particulars, at=at)
    post_batch(items=business.opening(customer, at), at=at)
    _limit(customer, at)
    business.customers.append(customer)


def _limit(customer: Customer, at: datetime) -> None:
    """Give a customer quotas: those with a plan are warned, those who try are stopped. Firms have a standing order."""
    account = customer.owner.account
    if customer.owner.unit != "credits":
        return
    if customer.plan:
        quotas.set_quota(account=account, key=A_MONTH, limit=customer.plan, hard=False, at=at)
        quotas.set_quota(account=account, key=CALLS, limit=Decimal(90), at=at)
    else:
        quotas.set_quota(account=account, key=A_DAY, limit=Decimal(200), at=at)
    if customer.overdraft:
        order = Order(
            "contract:2026", Decimal(2000), at, "UTC", description="Committed volume", rollover_cap=Decimal(1000)
        )
        start_allotment(account=account, order=order, at=at)


def _end(business: Business, support: Support, now: datetime) -> None:
    """Leave some accounts in the states an agent is called for: overdrawn, frozen, closed, with holds open."""
    at = now - timedelta(minutes=20)
    spender = next(one for one in business.customers if one.overdraft and one.owner.unit == "USD")
    account = read_account(spender.owner.account, at=at)
    memo = Memo(business.key, feature="ml-analysis", description="Nightly analysis of the archive")
    amount = account.available - 8
    movements.spend_credits(account=account.id, amount=amount, memo=memo, at=at)
    rich = [one for one in business.customers if one.plan and one is not spender]
    post_batch(items=[business.reserve(customer) for customer in rich[5:13]], at=at)
    support.raise_quota(rich[6], at)
    support.freeze(rich[20], at)
    support.close(rich[30], at)
