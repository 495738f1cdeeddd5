"""The jobs of the clock on money."""

from __future__ import annotations

import logging

from celery.schedules import crontab
from django.conf import settings

from billing import handlers
from billing.services import inbox, payments, reconciliation, refunds, strays, topups
from credits.jobs import MINUTE, Job, by_name
from credits.services.runs import Done

log = logging.getLogger(__name__)


def process_inbox() -> Done:
    """Process every webhook that is due."""
    return inbox.process_due_events(handlers.look_up)


def reconcile() -> Done:
    """Take in what did not come, process it, and compare what is then left."""
    taken = reconciliation.take_in_missing()
    process_inbox()
    left = reconciliation.list_differences()
    if left:
        log.warning("%d differences from the payment provider are open", left)
    return Done(taken, f"{taken.detail}, {int(taken)} taken in; {int(left)} differences open")


def top_up() -> Done:
    """Let accounts that run low buy."""
    if not settings.STRIPE_SECRET_KEY:
        return Done(0, "No payment provider is configured.")
    return topups.top_up_due()


JOBS = by_name([
    Job("process_inbox", "Processes webhooks that no worker was told of, or that are to be tried again", MINUTE,
        process_inbox),
    Job("top_up", "Lets accounts that run low buy by their saved card", MINUTE, top_up),
    Job("freeze_again", "Freezes what came back to lots whose payment is under dispute", MINUTE, payments.freeze_again),
    Job("end_strays", "Ends at the payment provider's the subscriptions of closed accounts and those that came second",
        MINUTE, strays.end_strays),
    Job("close_pages", "Closes the pages to pay on that closed accounts had open", MINUTE, strays.close_pages),
    Job("finish_refunds", "Finishes refunds that whoever asked for was cut off from", MINUTE, refunds.finish_refunds),
    Job("reconcile_payments", "Takes in what the payment provider told and we did not hear, and lists what differs",
        crontab(hour="2", minute="0"), reconcile),
])  # fmt: skip
