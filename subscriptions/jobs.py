"""The jobs of the clock on subscriptions."""

from __future__ import annotations

from credits.jobs import MINUTE, Job, by_name
from subscriptions.services import settling

JOBS = by_name([
    Job("settle_subscriptions", "Ends trials, periods and grace, and makes scheduled changes", MINUTE,
        settling.settle_due_subscriptions),
])  # fmt: skip
