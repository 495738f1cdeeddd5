"""The jobs of the clock: what is done again and again, how often, and in one line for staff what that is.

A job does everything that is due, and nothing depends on when it runs: late, twice, at once with itself or never, only
the moment changes at which rows appear. To add one, add it to ``JOBS``: its task, its row in the schedule and its part
of ``run_due`` follow.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from celery.schedules import crontab

from credits import checks
from credits.models import QuotaPeriod
from credits.services import approvals, bulk, expiry, once, overview, runs, totals
from credits.services.runs import Done

log = logging.getLogger(__name__)

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do again and again. ``every`` is how often until staff decides; ``does`` returns how many it did."""

    name: str
    says: str
    every: timedelta | crontab
    does: Callable[[], int]

    @property
    def task(self) -> str:
        """The name of its Celery task. It stands in schedules that staff edited, so it stays as it is."""
        return f"florin.{self.name}"


def by_name(jobs: Iterable[Job]) -> dict[str, Job]:
    """Return jobs by their names."""
    return {job.name: job for job in jobs}


def audit_books() -> Done:
    """Check every invariant of the books. Logs each offender as an error, which is the alarm."""
    audit = checks.audit()
    for offenders in audit.values():
        for offender in offenders:
            log.error("The books do not balance: %s", offender)
    return result_of(audit)


def result_of(audit: dict[str, list[str]]) -> Done:
    """Return what staff is told of an audit: how many offenders there are, and the first ten."""
    offenders = [each for found in audit.values() for each in found]
    return Done(len(offenders), "\n".join(offenders[:10]))


def purge() -> Done:
    """Delete what has been kept long enough: replies of the API, and records of these jobs."""
    replies, kept_runs = once.purge_idempotency(), runs.purge_runs()
    return Done(replies + kept_runs, f"{replies} idempotency records, {kept_runs} records of jobs")


JOBS = by_name([
    Job("expire_lots", "Posts the expiry of lots whose time has come", MINUTE, expiry.expire_due_lots),
    Job("time_out_holds", "Times out holds that nobody came back for", MINUTE, expiry.time_out_due_holds),
    Job("issue_allotments", "Issues the credits of periods that have begun", MINUTE, expiry.issue_due_allotments),
    Job("reset_daily_quotas", "Begins the new day's quotas of idle accounts", 5 * MINUTE,
        partial(expiry.reset_due_quotas, QuotaPeriod.DAILY)),
    Job("reset_weekly_quotas", "Begins the new week's quotas of idle accounts", 5 * MINUTE,
        partial(expiry.reset_due_quotas, QuotaPeriod.WEEKLY)),
    Job("reset_monthly_quotas", "Begins the new month's quotas of idle accounts", 5 * MINUTE,
        partial(expiry.reset_due_quotas, QuotaPeriod.MONTHLY)),
    Job("roll_up_statistics", "Sums what accounts moved into their day totals", 5 * MINUTE, totals.roll_up_statistics),
    Job("apply_bulk_adjustments", "Applies bulk adjustments that staff confirmed", MINUTE, bulk.apply_running_bulks),
    Job("lapse_approvals", "Lets requests for approval lapse that nobody decided on", 5 * MINUTE,
        approvals.lapse_due_approvals),
    Job("sum_up_overview", "Sums what staff's front page tells", 5 * MINUTE, overview.sum_up),
    Job("audit_books", "Checks every invariant of the books", crontab(hour="3", minute="0"), audit_books),
    Job("purge_idempotency", "Deletes old replies and records of jobs", crontab(hour="4", minute="0"), purge),
])  # fmt: skip
