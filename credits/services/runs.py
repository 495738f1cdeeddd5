"""The one way to run a job of the clock, whoever runs it: what it did is kept, so that staff sees it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Self

from django.db import DatabaseError
from django.utils import timezone

from credits.models import RunBy, TaskRun
from credits.secrets import without_secrets
from credits.services.slices import delete_older

KEPT = timedelta(days=30)
LONGEST = 500


class Done(int):
    """How many things a job did, and in words what else staff should know of it."""

    detail: str

    def __new__(cls, count: int, detail: str = "") -> Self:
        """Return the count, which compares and adds up as any number."""
        done = super().__new__(cls, count)
        done.detail = detail
        return done


def run_job(job: str, function: Callable[[], int], *, by: RunBy = RunBy.WORKER) -> int:
    """Run a job and keep when, by whom and what it did. Returns how many things it did.

    Raises what the job raises, once that is kept.
    """
    run = TaskRun.objects.create(job=job, kind=by, started_at=timezone.now())
    try:
        done = function()
    except Exception as error:
        # The database may be what failed.
        with suppress(DatabaseError):
            _finish(run, error=said(error))
        raise
    _finish(run, done=done, detail=getattr(done, "detail", ""))
    return done


def said(error: Exception) -> str:
    """Return an error in one line that staff may read: without secrets, and without the rows it was about."""
    text = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {without_secrets(text)}"[:LONGEST]


def purge_runs() -> int:
    """Delete what is kept of runs more than thirty days ago. Returns how many."""
    return delete_older(TaskRun, "started_at", timezone.now() - KEPT)


def _finish(run: TaskRun, **what: object) -> None:
    TaskRun.objects.filter(pk=run.pk).update(finished_at=timezone.now(), **what)
