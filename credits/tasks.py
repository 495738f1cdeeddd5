"""What the clock calls. Each task does everything that is due; late, twice or never changes nothing but the when."""

from __future__ import annotations

import logging

from celery import shared_task

from credits import checks
from credits.services import expiry

log = logging.getLogger(__name__)


@shared_task
def expire_lots() -> int:
    """Post the expiry of lots whose time has come."""
    return expiry.expire_due_lots()


@shared_task
def time_out_holds() -> int:
    """Time out the holds nobody came back for."""
    return expiry.time_out_due_holds()


@shared_task
def audit_books() -> int:
    """Check every invariant of the books and log each offender."""
    offences = [offence for offenders in checks.audit().values() for offence in offenders]
    for offence in offences:
        log.error("The books do not balance: %s", offence)
    return len(offences)
