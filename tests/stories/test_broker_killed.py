"""The broker is killed while a job runs. Nothing is lost, requests go on, and once it is back the clock is too."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from django.db import connection, transaction
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from config.clock import keep_schedule
from credits.models import Account, Scope, TaskRun, Transaction
from credits.services.keys import create_api_key
from dev import processes
from dev.valkey import Valkey
from tests.factories import give, make_account
from tests.processes import celery, until, until_somebody_waits


@pytest.fixture
def valkey(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Valkey]:
    """A broker of the test's own, which the processes that it starts will use."""
    valkey = Valkey(tmp_path)
    valkey.start()
    monkeypatch.setenv("REDIS_URL", valkey.url)
    yield valkey
    valkey.stop()


@pytest.fixture
def schedule(committed: None) -> Iterator[None]:
    """A schedule of one job, each second."""
    second, _ = IntervalSchedule.objects.get_or_create(every=1, period="seconds")
    PeriodicTask.objects.update(enabled=False)
    PeriodicTask.objects.filter(task="florin.expire_lots").update(interval=second, enabled=True)
    yield
    PeriodicTask.objects.all().delete()
    keep_schedule()


@pytest.fixture
def clockwork(schedule: None, valkey: Valkey) -> Iterator[list[subprocess.Popen[bytes]]]:
    """A worker and beat."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(celery(*arguments))
            for arguments in (
                ("worker", "--concurrency", "1", "--without-mingle", "--without-gossip"),
                ("beat", "--pidfile=", "--scheduler", "django_celery_beat.schedulers:DatabaseScheduler"),
            )
        ]


def lapsed(name: str) -> Account:
    """Open an account whose only lot has expired meanwhile."""
    past = timezone.now() - timedelta(hours=2)
    account = make_account(external_id=name, at=past)
    give(account, 50, at=past, expires_at=past + timedelta(hours=1))
    return account


def until_expired(account: Account) -> None:
    posted = Transaction.objects.filter(account=account, kind="expiry")
    until(posted.exists, f"Nobody settled {account.external_id}.")


def kill(valkey: Valkey) -> None:
    """Kill it as the kernel would when memory runs out."""
    for pid in processes.living_in(valkey.folder, "-server"):
        os.kill(pid, signal.SIGKILL)
    assert processes.wait_until(lambda: not valkey.running(), 10)


def test_nothing_is_lost(valkey: Valkey, clockwork: list[subprocess.Popen[bytes]], server: str) -> None:
    make_account(external_id="ada", balance=100)
    _, key = create_api_key(name="web", scopes=Scope.values, rate_limit=1000)
    until_expired(lapsed("before"))

    # The job stands in the middle of its work when the broker goes.
    with transaction.atomic(), connection.cursor() as cursor:
        during = lapsed("during")
        cursor.execute("LOCK TABLE credits_grant IN ACCESS EXCLUSIVE MODE")
        until_somebody_waits()
        kill(valkey)
    until_expired(during)
    until(lambda: not TaskRun.objects.filter(finished_at=None).exists(), "The job did not end.")

    # Nobody comes to this one now, and requests neither need the broker nor the clock.
    after = lapsed("after")
    with httpx.Client(base_url=server, headers={"X-API-Key": key}) as client:
        for spent in range(1, 4):
            answer = client.post("/api/v1/accounts/ada/debits", json={"amount": 1})
            assert (answer.status_code, answer.json()["balance_after"]) == (201, 100 - spent)
        assert client.get("/api/v1/accounts/after/balance").json()["balance"] == 0
    assert not Transaction.objects.filter(account=after, kind="expiry").exists()

    valkey.start()
    until_expired(after)

    assert [process.poll() for process in clockwork] == [None, None]
    assert set(TaskRun.objects.values_list("job", "kind", "error")) == {("expire_lots", "worker", "")}
    assert Transaction.objects.filter(kind="expiry").count() == 3
