"""The jobs of the clock on money."""

from __future__ import annotations

from celery.schedules import crontab

from billing import handlers
from billing.services import inbox, reconciliation
from credits.jobs import MINUTE, Job, by_name
from credits.services.runs import Done


def process_inbox() -> Done:
    """Process every webhook that is due."""
    return inbox.process_due_events(handlers.look_up)


JOBS = by_name([
    Job("process_inbox", "Processes webhooks that no worker was told of, or that are to be tried again", MINUTE,
        process_inbox),
    Job("reconcile_payments", "Takes in what the payment provider told and we did not hear",
        crontab(hour="2", minute="0"), reconciliation.take_in_missing),
])  # fmt: skip
