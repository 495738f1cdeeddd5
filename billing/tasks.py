"""The Celery tasks of this app: one for each job, which runs it and keeps what it did."""

from __future__ import annotations

import logging

from celery import shared_task
from kombu.exceptions import OperationalError

from billing.jobs import JOBS, process_inbox
from billing.providers.breaker import Breaker, Open
from credits.tasks import task_of

log = logging.getLogger(__name__)

broker = Breaker(OperationalError, failures=1, seconds=60.0)

TASKS = {name: task_of(job) for name, job in JOBS.items()}


@shared_task(name="florin.process_inbox_now")
def process_inbox_now() -> int:
    """Process what is due in the inbox, without a record of the run: there may be one for each webhook."""
    return process_inbox()


def reconcile_now() -> bool:
    """Let a worker compare with the payment provider now. Returns whether one could be told."""
    try:
        TASKS["reconcile_payments"].apply_async(retry=False)
    except (OperationalError, OSError):
        return False
    return True


def nudge() -> None:
    """Tell a worker that there is something in the inbox. Without a broker the clock finds it, a minute later.

    A broker that cannot be reached takes seconds to say so: it is left alone for a while, and webhooks do not wait.
    """
    try:
        with broker.guard():
            process_inbox_now.apply_async(retry=False)
    except Open:
        log.debug("The broker is left alone for a while")
    except (OperationalError, OSError):
        log.warning("No worker could be told of a webhook: the clock will find it")
