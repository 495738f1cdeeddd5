"""What is kept of a job's run, and for how long; and of replies."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as configured
from django.db import connection
from django.utils import timezone

from credits.models import IdempotencyRecord, RunBy, TaskRun, Transaction
from credits.services import once, runs, slices
from credits.services.runs import Done, run_job, said
from credits.tasks import TASKS
from tests.conftest import Api
from tests.threads import at_once

DAY = timedelta(days=1)


def keep_replies(count: int, *, days_ago: int) -> None:
    """Keep answers as old as that."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO credits_idempotencyrecord (owner, key, fingerprint, status, body, created_at)"
            " SELECT 'web', %s || '-' || n, '', 201, '{}', now() - %s * interval '1 day'"
            " FROM generate_series(1, %s) AS n",
            [str(days_ago), days_ago, count],
        )


@pytest.mark.usefixtures("database")
class TestARun:
    def test_keeps_what_was_done(self) -> None:
        before = timezone.now()

        assert run_job("sweep", lambda: Done(7, "2 left"), by=RunBy.COMMAND) == 7

        run = TaskRun.objects.get()
        assert (run.job, run.kind, run.done, run.detail, run.error) == ("sweep", "command", 7, "2 left", "")
        assert run.finished_at is not None
        assert before <= run.started_at <= run.finished_at

    def test_that_fails_keeps_why_and_fails(self) -> None:
        def breaks() -> int:
            raise RuntimeError("out of paper\nDETAIL: Failing row contains (ada@example.com)")

        with pytest.raises(RuntimeError):
            run_job("sweep", breaks)

        run = TaskRun.objects.get()
        assert (run.kind, run.done, run.error) == ("worker", 0, "RuntimeError: out of paper")
        assert run.finished_at is not None

    def test_is_there_while_it_runs(self) -> None:
        def look() -> int:
            return TaskRun.objects.filter(job="sweep", finished_at=None).count()

        assert run_job("sweep", look) == 1


@pytest.mark.parametrize(
    "text",
    [
        "no route to redis://:hunter2@valkey:6379/0",
        "postgresql://florin:hunter2@db/florin is away",
        "connection failed: password=hunter2 host=db",
        "{'api_key': 'hunter2'}",
        "Authorization: Bearer hunter2",
        "key flr_abcdefgh_hunter2 is unknown",
        pytest.param(f"bad signature with {configured.SECRET_KEY} hun-ter2", id="our key"),
        pytest.param(f"said {configured.DATABASES['default']['PASSWORD']}", id="our password"),
        pytest.param("x" * 500 + "hunter2", id="beyond the end"),
    ],
)
def test_an_error_is_told_without_secrets(text: str) -> None:
    told = said(ValueError(text))

    assert told.startswith("ValueError: ")
    secrets = ("hunter2", configured.SECRET_KEY, str(configured.DATABASES["default"]["PASSWORD"]))
    assert not [secret for secret in secrets if secret in told]


class TestPurging:
    def test_old_replies_go_and_young_ones_stay(self, database: None, settings: Any) -> None:
        settings.IDEMPOTENCY_DAYS = 90
        keep_replies(3, days_ago=91)
        keep_replies(2, days_ago=89)

        assert [once.purge_idempotency(), once.purge_idempotency()] == [3, 0]
        assert IdempotencyRecord.objects.count() == 2

    def test_nothing_goes_where_replies_are_kept_for_ever(self, database: None, settings: Any) -> None:
        settings.IDEMPOTENCY_DAYS = 0
        keep_replies(3, days_ago=9000)

        assert once.purge_idempotency() == 0

    def test_it_takes_slice_after_slice_in_whatever_order_rows_lie(
        self, database: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(slices, "SLICE", 10)
        for days_ago in (300, 100, 200, 1, 400, 150):
            keep_replies(15, days_ago=days_ago)

        assert once.purge_idempotency() == 75
        assert IdempotencyRecord.objects.count() == 15

    def test_two_at_once_share_the_work(self, committed: None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(slices, "SLICE", 100)
        keep_replies(2000, days_ago=91)

        assert sum(count for count in at_once([once.purge_idempotency] * 4) if isinstance(count, int)) == 2000
        assert not IdempotencyRecord.objects.exists()

    def test_runs_are_kept_for_thirty_days(self, database: None) -> None:
        for days in (29, 31, 400):
            TaskRun.objects.create(job="sweep", kind=RunBy.WORKER, started_at=timezone.now() - days * DAY)

        assert runs.purge_runs() == 2

    def test_the_job_says_what_went(self, database: None) -> None:
        keep_replies(3, days_ago=91)
        TaskRun.objects.create(job="sweep", kind=RunBy.WORKER, started_at=timezone.now() - 31 * DAY)

        assert TASKS["purge_idempotency"]() == 4
        assert TaskRun.objects.get().detail == "3 idempotency records, 1 records of jobs"

    def test_a_key_that_was_purged_is_new_but_its_reference_is_not(self, api: Api) -> None:
        api.post("/api/v1/accounts", {"external_id": "ada", "initial_balance": 100})
        body = {"amount": 3, "reference_type": "job", "reference_id": "1"}
        first = api.post("/api/v1/accounts/ada/debits", body, once="k")
        IdempotencyRecord.objects.all().delete()

        again = api.post("/api/v1/accounts/ada/debits", body, once="k")

        assert again.json()["id"] == first.json()["id"]
        assert Transaction.objects.filter(kind="usage").count() == 1
