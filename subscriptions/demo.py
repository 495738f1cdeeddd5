"""The plans of the demo, and some who have them. Loaded once; again changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial

from django.db import transaction

from credits.models import Account, AccountStatus
from credits.plan import SYSTEM
from credits.services.allowances import Limit
from credits.services.prices import add_feature
from subscriptions.models import Plan, Subscription
from subscriptions.services import plans
from subscriptions.services import subscriptions as verbs
from subscriptions.services.writing import Cause

FEATURES = {
    "api-call": "API call",
    "waf-inspection": "WAF inspection",
    "ml-analysis": "ML analysis",
    "sandbox-run": "Sandbox run",
    "ai-tokens": "AI tokens, by their cost in US dollars",
}
DEMO = Cause(SYSTEM, "Demo data")


def a_day(feature: str, uses: int) -> Limit:
    """Return a limit of so many uses a day."""
    return Limit(feature, "daily", Decimal(uses), "quantity")


# Code, name and rank, with what the first version brings. Limits are per feature: a day of one leaves the others.
PLANS = (
    (
        "FREE",
        "Free",
        0,
        plans.Offer(
            features=FEATURES,
            limits=(Limit("ml-analysis", "monthly", Decimal(1000), "quantity"), a_day("sandbox-run", 5)),
        ),
    ),
    (
        "PRO",
        "Pro",
        10,
        plans.Offer(
            price_minor=2900,
            monthly_credits=Decimal(1000),
            trial_days=14,
            trial_credits=Decimal(100),
            grace_days=7,
            features=FEATURES,
            limits=(a_day("ml-analysis", 200), a_day("sandbox-run", 8)),
        ),
    ),
    (
        "PREMIUM",
        "Premium",
        20,
        plans.Offer(
            price_minor=9900,
            monthly_credits=Decimal(10_000),
            rollover_cap=Decimal(5000),
            grace_days=14,
            features=FEATURES,
            limits=(a_day("ml-analysis", 2000), a_day("sandbox-run", 100)),
        ),
    ),
)


@transaction.atomic
def load_plans() -> int:
    """Add the plans that are not there yet. Returns how many were added."""
    for code, name in FEATURES.items():
        add_feature(code=code, name=name)
    known = set(Plan.objects.values_list("pk", flat=True))
    missing = [each for each in PLANS if each[0] not in known]
    for code, name, rank, offer in missing:
        plans.add_plan(code=code, name=name, rank=rank, is_default=rank == 0)
        plans.add_plan_version(plan=code, offer=offer, cause=DEMO)
    return len(missing)


@transaction.atomic
def subscribe_demo_accounts() -> int:
    """Subscribe the oldest accounts, and bring some into the states an agent is called for. Returns how many."""
    if Subscription.objects.exists():
        return 0
    pro, premium = (
        partial(verbs.subscribe, plan="PRO", cause=DEMO),
        partial(verbs.subscribe, plan="PREMIUM", cause=DEMO),
    )
    fates: list[tuple[Callable[..., Subscription], Callable[..., Subscription] | None]] = [
        (pro, None),
        (premium, None),
        (partial(pro, trial=True), None),
        (pro, partial(verbs.upgrade, plan="PREMIUM")),
        (premium, partial(verbs.downgrade, plan="PRO")),
        (pro, verbs.cancel),
        (premium, partial(verbs.cancel, at_period_end=False)),
        (pro, verbs.mark_past_due),
        (premium, verbs.pause),
        (partial(pro, trial=True), verbs.cancel),
        (pro, None),
        (premium, None),
    ]
    accounts = Account.objects.filter(unit_id="credits", status=AccountStatus.ACTIVE).order_by("created_at", "id")
    done = 0
    for account, (begin, then) in zip(accounts[: len(fates)], fates, strict=False):
        row = begin(account=account.pk)
        if then is not None:
            then(subscription=row.pk, cause=DEMO)
        done += 1
    return done
