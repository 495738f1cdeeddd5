"""Builders of plans and subscribers. The plans of most stories: FREE, PRO, PREMIUM, and what they bring."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from credits.models import Account
from credits.plan import Actor
from credits.services.allowances import Limit
from credits.services.locks import read_account
from credits.services.prices import add_feature
from subscriptions.models import PlanVersion, Subscription
from subscriptions.services import plans, subscriptions
from subscriptions.services.writing import Cause

WHO = Cause(Actor("key", "0", "tests"))
FEATURES = ("api-call", "ml-analysis", "sandbox-run")
FREE_LIMITS = (Limit("ml-analysis", "daily", Decimal(2), "quantity"),)
PRO_LIMITS = (Limit("ml-analysis", "daily", Decimal(5), "quantity"),)
PREMIUM_LIMITS = (Limit("ml-analysis", "daily", Decimal(50), "quantity"),)


def at(text: str) -> datetime:
    """Return a moment of 2026 in UTC: 01-31, or 01-31 12:30."""
    day, _, time = text.partition(" ")
    return datetime.fromisoformat(f"2026-{day}T{time or '00:00'}").replace(tzinfo=UTC)


def make_plan(code: str, rank: int, **terms: Any) -> PlanVersion:
    """Add a plan with one version."""
    plan = plans.add_plan(
        code=code, name=code.title(), rank=rank, is_default=terms.pop("is_default", False), at=at("01-01")
    )
    return add_version(plan.pk, **terms)


def add_version(plan: str, *, move_existing: bool = False, now: datetime | None = None, **terms: Any) -> PlanVersion:
    """Add a version; amounts may be ints."""
    for name in ("monthly_credits", "trial_credits", "rollover_cap"):
        if terms.get(name) is not None:
            terms[name] = Decimal(terms[name])
    offer = plans.Offer(**{"features": FEATURES, **terms})
    return plans.add_plan_version(plan=plan, offer=offer, cause=WHO, move_existing=move_existing, at=now or at("01-01"))


def make_plans() -> None:
    """Add FREE, PRO (1,000 a month) and PREMIUM (10,000 a month, 5,000 of them roll over)."""
    for feature in FEATURES:
        add_feature(code=feature)
    make_plan("FREE", 0, is_default=True, limits=FREE_LIMITS, features=FEATURES[:2])
    make_plan(
        "PRO", 10, price_minor=2900, monthly_credits=1000, trial_days=14, trial_credits=100, grace_days=7,
        limits=PRO_LIMITS,
    )  # fmt: skip
    make_plan(
        "PREMIUM", 20, price_minor=9900, monthly_credits=10_000, rollover_cap=5000, grace_days=7, limits=PREMIUM_LIMITS
    )


def subscribe(account: Account, plan: str = "PRO", moment: str = "01-01", **more: Any) -> Subscription:
    """Subscribe an account at a moment."""
    return subscriptions.subscribe(account=account.pk, plan=plan, cause=WHO, at=at(moment), **more)


def upgrade(row: Subscription, plan: str, moment: str) -> Subscription:
    """Upgrade at a moment."""
    return subscriptions.upgrade(subscription=row.pk, plan=plan, cause=WHO, at=at(moment))


def downgrade(row: Subscription, plan: str, moment: str, **more: Any) -> Subscription:
    """Downgrade at a moment."""
    return subscriptions.downgrade(subscription=row.pk, plan=plan, cause=WHO, at=at(moment), **more)


def cancel(row: Subscription, moment: str, *, at_period_end: bool = True) -> Subscription:
    """Cancel at a moment."""
    return subscriptions.cancel(subscription=row.pk, cause=WHO, at_period_end=at_period_end, at=at(moment))


def verb(name: str, row: Subscription, moment: str) -> Subscription:
    """Do what needs no further word: resume, pause, mark_past_due, mark_paid."""
    changed: Subscription = getattr(subscriptions, name)(subscription=row.pk, cause=WHO, at=at(moment))
    return changed


def balance(account: Account, moment: str) -> Decimal:
    """Return the balance as it is at a moment, posted or not."""
    return read_account(account.pk, at=at(moment)).balance


def limit(account: Account, moment: str, feature: str = "ml-analysis") -> Decimal | None:
    """Return how many uses a day an account has of a feature; None without a limit."""
    sheet = read_account(account.pk, at=at(moment))
    counts = [count.limit_at(sheet.at) for count in sheet.quotas.values() if count.feature == feature]
    return counts[0] if counts else None
