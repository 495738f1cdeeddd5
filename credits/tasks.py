"""The Celery tasks of this app: one for each job, which runs it and keeps what it did."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from credits.jobs import JOBS, Job
from credits.services.runs import run_job


def task_of(job: Job) -> Any:
    """Return the task that runs a job."""

    @shared_task(name=job.task)
    def run() -> int:
        return run_job(job.name, job.does)

    return run


TASKS = {name: task_of(job) for name, job in JOBS.items()}
