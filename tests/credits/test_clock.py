"""The clock's tasks: through a real Celery worker on a real broker, and with none at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from config.celery import app
from credits import tasks
from credits.models import Account, Hold, Transaction
from tests.factories import give, hold, make_account

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def worker(committed: None) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process on the test database."""
    address = settings.DATABASES["default"]
    url = f"postgresql://{address['USER']}:{address['PASSWORD']}@{address['HOST']}:{address['PORT']}"
    variables = {**os.environ, "DATABASE_URL": f"{url}/{connection.settings_dict['NAME']}"}
    command = [sys.executable, "-m", "celery", "-A", "config", "worker", "--pool", "solo", "--loglevel", "ERROR"]
    process = subprocess.Popen(command, cwd=ROOT, env=variables)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def lapse(account: Account) -> None:
    """Give an account a lot and a hold that fell due in the meantime, as seen by the clock that runs now."""
    past = timezone.now() - timedelta(hours=2)
    give(account, 50, at=past, expires_at=past + timedelta(hours=1))
    give(account, 5, at=past)
    hold(account, 5, at=past, lasting=timedelta(hours=1), abandonment_charge=2)


def test_a_worker_does_what_is_due(worker: subprocess.Popen[bytes]) -> None:
    account = make_account(at=timezone.now() - timedelta(hours=3))
    lapse(account)

    with app.connection_for_write() as broker:
        results = [app.send_task(name, connection=broker) for name in ("credits.tasks.expire_lots",)]
        app.send_task("credits.tasks.time_out_holds", connection=broker)
    until_settled(account)

    assert results[0].id
    kinds = Transaction.objects.order_by("sequence").values_list("kind", "amount")
    assert list(kinds)[2:] == [("capture", -2), ("expiry", -48)]
    assert worker.poll() is None


def until_settled(account: Account) -> None:
    """Wait until the account has nothing due, told by the database."""
    deadline = timezone.now() + timedelta(seconds=30)
    with connection.cursor() as cursor:
        while timezone.now() < deadline:
            account.refresh_from_db()
            if account.next_due_at is None:
                return
            cursor.execute("SELECT pg_sleep(0.05)")
    raise AssertionError("The worker did not settle the account.")


class TestWithoutAWorker:
    def test_twice_does_no_more_than_once(self, database: None) -> None:
        lapse(make_account(at=timezone.now() - timedelta(hours=3)))

        assert [tasks.expire_lots(), tasks.time_out_holds(), tasks.expire_lots()] == [1, 0, 0]
        assert Hold.objects.get().status == "timed_out"
        assert Transaction.objects.filter(kind="expiry").count() == 1

    def test_the_audit_names_an_offender_in_the_log(
        self, committed: None, alice: Account, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert tasks.audit_books() == 0
        Account.objects.filter(pk=alice.pk).update(debt=1)

        assert tasks.audit_books() == 1

        Account.objects.filter(pk=alice.pk).update(debt=0)
        assert "alice@example.com" in caplog.text


def test_every_task_of_the_schedule_exists() -> None:
    for entry in settings.CELERY_BEAT_SCHEDULE.values():
        assert entry["task"] in app.tasks
