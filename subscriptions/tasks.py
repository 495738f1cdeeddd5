"""The Celery tasks of this app: one for each job, which runs it and keeps what it did."""

from __future__ import annotations

from credits.tasks import task_of
from subscriptions.jobs import JOBS

TASKS = {name: task_of(job) for name, job in JOBS.items()}
