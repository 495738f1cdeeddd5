"""The Celery tasks of this app: one for each job, which runs it and keeps what it did."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from celery import shared_task
from celery.signals import worker_ready
from kombu.exceptions import OperationalError

from billing.jobs import JOBS, process_inbox
from billing.providers.breaker import Breaker, Open
from billing.services.inbox import LEASE
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
    return process_inbox()


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
    """Tell a worker that there is something in the inbox. Without a broker the clock finds it, a minute later.

    A broker that cannot be reached takes seconds to say so: it is left alone for a while, and webhooks do not wait.
    """
    try:
        with broker.guard():
            process_inbox_now.apply_async(retry=False, countdown=countdown)
    except Open:
        log.debug("The broker is left alone for a while")
    except (OperationalError, OSError):
        log.warning("No worker could be told of a webhook: the clock will find it")
