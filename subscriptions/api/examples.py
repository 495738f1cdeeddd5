"""The examples of plans and subscriptions in the schema: Alice subscribes to PRO."""

from __future__ import annotations

from typing import Any

from credits.api.examples import ACTOR, ALICE
from credits.api.use_examples import QUOTA

SUBSCRIPTION_ID = "019a9f10-5c00-7000-8000-000000000201"
LIMIT = {"feature": "sandbox-run", "period": "daily", "measure": "quantity", "limit": 8, "hard": True}
PLAN: dict[str, Any] = {
    "code": "PRO",
    "name": "Pro",
    "rank": 10,
    "is_default": False,
    "active": True,
    "version": 2,
    "price_minor": 2900,
    "currency": "USD",
    "interval": "month",
    "unit": "credits",
    "monthly_credits": 1000,
    "rollover_cap": None,
    "trial_days": 14,
    "trial_credits": 100,
    "grace_days": 7,
    "features": ["api-call", "ml-analysis", "sandbox-run"],
    "limits": [LIMIT],
    "quotas_follow": "calendar",
}
SUBSCRIBE = {"account": ALICE, "plan": "PRO"}
SUBSCRIPTION: dict[str, Any] = {
    "id": SUBSCRIPTION_ID,
    "account": ALICE,
    "unit": "credits",
    "plan": "PRO",
    "plan_version": 2,
    "status": "active",
    "provider": "manual",
    "provider_reference": None,
    "current_period_start": "2026-10-08T16:30:00Z",
    "current_period_end": "2026-11-08T16:30:00Z",
    "trial_ends_at": None,
    "grace_ends_at": None,
    "cancel_at_period_end": False,
    "next_plan": None,
    "next_plan_version": None,
    "paused_at": None,
    "ended_at": None,
    "created_at": "2026-10-08T16:30:00Z",
    "updated_at": "2026-10-08T16:30:00Z",
}
UPGRADED = SUBSCRIPTION | {"plan": "PREMIUM", "plan_version": 1, "updated_at": "2026-10-23T16:30:00Z"}
DOWNGRADED = UPGRADED | {"next_plan": "PRO", "next_plan_version": 2}
CHANGE = {
    "id": 12,
    "verb": "upgrade",
    "at": "2026-10-23T16:30:00Z",
    "from_status": "active",
    "to_status": "active",
    "from_plan": "PRO",
    "from_plan_version": 2,
    "to_plan": "PREMIUM",
    "to_plan_version": 1,
    "actor": ACTOR,
    "reason": "",
    "metadata": {
        "monthly_before": "1000",
        "monthly_after": "10000",
        "part_left": "0.516129032258",
        "accrued": "5645.161290322",
        "granted_before": "1000",
        "credits": "4646",
    },
    "recorded_at": "2026-10-23T16:30:00Z",
}
PREVIEW = {
    "verb": "upgrade",
    "effective_at": "2026-10-23T16:30:00Z",
    "credits_now": 4646,
    "figures": CHANGE["metadata"],
    "before": PLAN,
    "after": PLAN
    | {
        "code": "PREMIUM",
        "name": "Premium",
        "rank": 20,
        "version": 1,
        "price_minor": 9900,
        "monthly_credits": 10000,
        "rollover_cap": 5000,
        "trial_days": 0,
        "trial_credits": 0,
        "limits": [LIMIT | {"limit": 100}],
    },
    "price_difference_minor": 7000,
    "payment": {
        "currency": "USD",
        "due_now_minor": 3252,
        "credit_minor": 1348,
        "next_invoice_minor": 9900,
        "next_invoice_at": "2026-11-08T16:30:00Z",
    },
}
ENTITLEMENTS = {
    "account": ALICE,
    "unit": "credits",
    "plan": "PRO",
    "plan_version": 2,
    "status": "active",
    "subscription_id": SUBSCRIPTION_ID,
    "current_period_end": "2026-11-08T16:30:00Z",
    "features": [{"feature": "ml-analysis", "enabled": True}, {"feature": "waf-inspection", "enabled": False}],
    "quotas": [QUOTA],
}
