"""The clock: every app's jobs, and the schedule that beat keeps, as rows which staff edits in the admin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from celery.schedules import crontab
from django.db import connection
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from billing import jobs as billing_jobs
from credits import jobs as credits_jobs
from credits.jobs import Job
from subscriptions import jobs as subscriptions_jobs

JOBS: dict[str, Job] = {**credits_jobs.JOBS, **subscriptions_jobs.JOBS, **billing_jobs.JOBS}


def keep_schedule(**_signal: Any) -> list[str]:
    """Add a row for each job that has none, and return their names. A row that is there is never touched.

    Runs after every migrate, so that a new job has its row wherever the new code is deployed.
    """
    if PeriodicTask._meta.db_table not in connection.introspection.table_names():
        return []
    # By task: staff may call the row what they like.
    there = set(PeriodicTask.objects.values_list("task", flat=True))
    added = [job for job in JOBS.values() if job.task not in there]
    for job in added:
        PeriodicTask.objects.get_or_create(
            name=job.name, defaults={"task": job.task, "description": f"{job.says}.", **_when(job.every)}
        )
    return [job.name for job in added]


def late() -> list[str]:
    """Return the rows whose interval has passed without beat having sent them, and ten minutes more.

    Beat writes down what it sent every three minutes.
    """
    rows = PeriodicTask.objects.filter(enabled=True, interval__isnull=False).select_related("interval")
    latest = timezone.now() - timedelta(minutes=10)
    return [row.name for row in rows if (row.last_run_at or row.date_changed) + _length(row.interval) < latest]


def _length(interval: IntervalSchedule) -> timedelta:
    return timedelta(**{interval.period: interval.every})


def _when(every: timedelta | crontab) -> dict[str, Any]:
    """Return how a row says how often. What waited for a worker longer than an interval was overtaken by the next."""
    if isinstance(every, timedelta):
        seconds = int(every.total_seconds())
        count, period = (seconds // 60, "minutes") if seconds % 60 == 0 else (seconds, "seconds")
        return {
            "interval": IntervalSchedule.objects.get_or_create(every=count, period=period)[0],
            "expire_seconds": seconds,
        }
    schedule = CrontabSchedule.from_schedule(every)
    if schedule.pk is None:
        schedule.save()
    return {"crontab": schedule}
