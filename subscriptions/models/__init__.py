"""The nouns of plans.

A Plan is what is sold: its PlanVersions say for how much, and what it brings. A version is never changed: a change is a
new version. A Subscription puts one account on a version, period after period. A SubscriptionChange is one step of its
history. A CreditMonth keeps the figures of a month in which the plan was changed, so that nothing is granted twice.

The one invariant: an account's live subscription, its allowance and its standing order for credits say the same.
``subscriptions.checks`` states it as queries; the audit of the books asks them.

Only ``subscriptions.services`` writes here; the database refuses the rest where it can.
"""

from subscriptions.models.plans import Interval, Plan, PlanVersion, QuotasFollow
from subscriptions.models.subscriptions import LIVE, CreditMonth, Status, Subscription, SubscriptionChange, Verb

__all__ = [
    "LIVE",
    "CreditMonth",
    "Interval",
    "Plan",
    "PlanVersion",
    "QuotasFollow",
    "Status",
    "Subscription",
    "SubscriptionChange",
    "Verb",
]
