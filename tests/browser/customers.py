"""Customers with a past, as a ticket finds them. Everything they did went through the services."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from django.utils import timezone

from credits.models import Account, GrantCategory
from credits.plan import Actor, LotTerms, Memo, Movement, Usage
from credits.services import movements, prices, usage
from subscriptions.demo import load_plans
from subscriptions.models import Subscription
from subscriptions.services import subscriptions
from subscriptions.services.writing import Cause
from tests.factories import make_account

KEY = Actor("key", "7", "web-prod")
NAMES = {
    "ada": ("Ada Eriksen", "ada.eriksen@example.com"),
    "noor": ("Noor Haddad", "noor.haddad@example.com"),
    "felix": ("Felix Okafor", "felix.okafor@example.com"),
    "priya": ("Priya Nakamura", "priya.nakamura@example.com"),
    "tomas": ("Tomas Lindqvist", "tomas.lindqvist@example.com"),
}
PRICES = {"api-call": 1, "waf-inspection": 2, "ml-analysis": 50, "sandbox-run": 100}
WORK = (
    ("api-call", 41, "41 calls of /v2/search"), ("ml-analysis", 1, "Sentiment of incoming mail"),
    ("waf-inspection", 8, "8 requests inspected"), ("api-call", 20, "20 calls of /v2/search"),
)  # fmt: skip


def ago(**how: float) -> datetime:
    """Return a moment that has passed."""
    return timezone.now() - timedelta(**how)


def open_shop() -> None:
    """Offer the plans, and put prices on what is used."""
    load_plans()
    offers = [
        prices.Offer(unit="credits", scheme="per_unit", terms={"per": amount}, feature=feature, effective_at=None)
        for feature, amount in PRICES.items()
    ]
    prices.add_prices(offers=offers, actor="dave", at=ago(days=90))


def customer(name: str = "ada", *, bought: int = 2000, plan: str = "") -> Account:
    """Return somebody who came forty days ago, bought credits, and works with them every few days."""
    said, email = NAMES[name]
    account = make_account(external_id=email, name=said, email=email, at=ago(days=40))
    if plan:
        subscribe(account, plan)
    if bought:
        buy(account, bought, f"FL-{4200 + len(said)}", at=ago(days=39))
        for number in range(9):
            feature, quantity, words = WORK[number % len(WORK)]
            use(account, feature, quantity, words, at=ago(days=36 - 4 * number, hours=number))
    return account


def buy(account: Account, amount: int, order: str, *, at: datetime, expires_at: datetime | None = None) -> Movement:
    """Let somebody buy credits by an order."""
    memo = Memo(KEY, description=f"Pack of {amount:,}", reference_type="order", reference_id=order)
    terms = LotTerms(category=GrantCategory.PAID, paid_currency="EUR", paid_minor=amount * 2, expires_at=expires_at)
    return movements.add_credits(account=account.pk, amount=Decimal(amount), memo=memo, terms=terms, at=at)


def use(account: Account, feature: str, quantity: int, words: str, *, at: datetime | None = None) -> Movement:
    """Charge somebody for a use."""
    mark = uuid4().hex[:8]
    memo = Memo(KEY, description=words, reference_type="trace", reference_id=f"tr-{mark}", request_id=f"req-{mark}")
    wanted = Usage(feature=feature, quantity=Decimal(quantity))
    return usage.charge_usage(account=account.pk, usage=wanted, memo=memo, at=at)


def subscribe(account: Account, plan: str) -> Subscription:
    """Put somebody on a plan, whose payment is seen to elsewhere."""
    return subscriptions.subscribe(account=account.pk, plan=plan, cause=Cause(KEY, "Ordered in the app"))
