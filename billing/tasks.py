"""The Celery tasks of this app: one for each job, which runs it and keeps what it did."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import timedelta
from typing import Any

from celery import shared_task
from celery.signals import worker_ready
from django.core.cache import cache
from django.utils import timezone
from kombu.exceptions import OperationalError
from redis import RedisError

from billing.jobs import JOBS, deliver_webhooks, process_inbox, send_notices
from billing.providers.breaker import Breaker, Open
from billing.services.deliveries import soonest
from billing.services.inbox import LEASE
from billing.services.inbox import soonest as soonest_event
from billing.services.outbox import unsettled
from credits.tasks import task_of

log = logging.getLogger(__name__)

broker = Breaker(OperationalError, failures=1, seconds=60.0)

TASKS = {name: task_of(job) for name, job in JOBS.items()}


# When a worker that died just now is known to be dead.
ONCE_DEAD = (LEASE + timedelta(seconds=1)).total_seconds()


@shared_task(name="florin.process_inbox_now", bind=True)
def process_inbox_now(self: Any) -> int:
    """Process what is due in the inbox, without a record of the run: there may be one for each webhook.

    One that comes again was with a worker that was killed: what that one had begun is due a little later.
    """
    if (self.request.delivery_info or {}).get("redelivered"):
        nudge(countdown=ONCE_DEAD)
    done = process_inbox()
    _come_back()
    return done


def _come_back() -> None:
    """Let one of all who were here come again for what is tried again before the clock would look."""
    moment = soonest_event(timedelta(minutes=1))
    if moment is None:
        return
    with suppress(OSError, RedisError):
        if cache.add(f"florin.inbox.again.{int(moment.timestamp())}", "1", timeout=60):
            nudge(countdown=max((moment - timezone.now()).total_seconds(), 0.1))


@shared_task(name="florin.tell_news_now")
def tell_news_now() -> int:
    """Send what is new to webhook endpoints and owners. What is due within a minute comes back here.

    Not for long at once: payments wait for the same workers.
    """
    done = deliver_webhooks(seconds=10.0)
    send_notices()
    with suppress(OperationalError, OSError, RedisError):
        wait = soonest(60.0) if done else None
        # Of all who find that they came too early, one comes back.
        if wait is None and unsettled() and cache.add("florin.news.unsettled", "1", timeout=1):
            wait = 1.0
        if wait is not None:
            tell_news_now.apply_async(countdown=wait, retry=False)
    return done


@worker_ready.connect
def take_up(**_signal: Any) -> None:
    """Let a worker that starts take up what one that was killed had begun: now, or when that is known to be dead."""
    nudge()
    nudge(countdown=ONCE_DEAD)


def reconcile_now() -> bool:
    """Let a worker compare with the payment provider now. Returns whether one could be told."""
    try:
        TASKS["reconcile_payments"].apply_async(retry=False)
    except (OperationalError, OSError):
        return False
    return True


def nudge(*, countdown: float | None = None) -> None:
    """Tell a worker that there is something in the inbox. Without a broker the clock finds it, a minute later."""
    _tell(process_inbox_now, countdown=countdown)


def nudge_news() -> None:
    """Tell a worker that there is something to send. Without a broker the clock finds it, a minute later."""
    _tell(tell_news_now)


def _tell(task: Any, *, countdown: float | None = None) -> None:
    """Let a worker run a task now.

    A broker that cannot be reached takes seconds to say so: it is left alone for a while, and nobody waits for it.
    """
    try:
        with broker.guard():
            task.apply_async(retry=False, countdown=countdown)
    except Open:
        log.debug("The broker is left alone for a while")
    except (OperationalError, OSError):
        log.warning("No worker could be told that there is work: the clock will find it")
