"""The jobs of the clock on money."""

from __future__ import annotations

import logging

from celery.schedules import crontab
from django.conf import settings

from billing import handlers
from billing.services import (
    claims,
    deliveries,
    fanout,
    inbox,
    letters,
    notices,
    outbox,
    reconciliation,
    refunds,
    relay,
    replays,
    strays,
    topups,
)
from credits.jobs import MINUTE, Job, by_name
from credits.services import events
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


def deliver_webhooks(*, seconds: float = 50.0) -> Done:
    """Make deliveries of what is new, and send those that are due, for so many seconds: a job must come to an end."""
    read = fanout.fan_out()
    sent = deliveries.send_due(seconds=seconds)
    return Done(sent, f"{int(read)} events read, {int(sent)} requests made")


def send_notices() -> Done:
    """Write letters about what is new, and send them."""
    notices.take_note()
    return notices.send_due()


def purge_news() -> Done:
    """Delete what was sent long ago."""
    sent, mails = replays.purge_deliveries(), notices.purge_notices()
    return Done(sent + mails, f"{sent} deliveries, {mails} e-mails")


def purge_events() -> Done:
    """Delete events and dead letters that have been kept long enough. What somebody has still to hear of is kept."""
    readers = [outbox.first_unread(), relay.first_unpublished() if settings.NATS_URL else None]
    unread = min((each for each in readers if each is not None), default=None)
    told, dead = events.purge_events(unread=unread), letters.purge_letters()
    return Done(told + dead, f"{told} events, {dead} dead letters")


JOBS = by_name([
    Job("process_inbox", "Processes webhooks that no worker was told of, or that are to be tried again", MINUTE,
        process_inbox),
    Job("top_up", "Lets accounts that run low buy by their saved card", MINUTE, top_up),
    Job("claim_again", "Takes back, or freezes, what came since of payments that went back or are disputed", MINUTE,
        claims.claim_again),
    Job("end_strays", "Ends at the payment provider's the subscriptions of closed accounts and those that came second",
        MINUTE, strays.end_strays),
    Job("close_pages", "Closes the pages to pay on that closed accounts had open", MINUTE, strays.close_pages),
    Job("finish_refunds", "Finishes refunds that whoever asked for was cut off from", MINUTE, refunds.finish_refunds),
    Job("reconcile_payments", "Takes in what the payment provider told and we did not hear, and lists what differs",
        crontab(hour="2", minute="0"), reconcile),
    Job("deliver_webhooks", "Sends events to webhook endpoints, also those to be tried again", MINUTE,
        deliver_webhooks),
    Job("send_notices", "Writes to owners whose balance runs low, and the like", MINUTE, send_notices),
    Job("purge_deliveries", "Deletes webhook deliveries and e-mails that were kept long enough",
        crontab(hour="4", minute="15"), purge_news),
    Job("purge_events", "Deletes old events and dead letters", crontab(hour="4", minute="30"), purge_events),
])  # fmt: skip
