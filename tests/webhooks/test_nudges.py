"""News is sent at once where a worker is told of it, and nobody who makes news waits for that."""

from __future__ import annotations

import subprocess
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from billing import tasks
from billing.nudges import Nudger
from billing.services import deliveries, fanout
from config.celery import app
from credits import listeners
from credits.models import Account
from tests.concurrency.test_event_order import uncommitted
from tests.conftest import Api
from tests.factories import make_account, spend
from tests.fakes.receiver import Receiver, Reply
from tests.processes import until
from tests.webhooks.conftest import MOVEMENTS, Hook


class TestANudge:
    def test_is_given_once_for_many_and_again_later(self) -> None:
        given, go = [], threading.Semaphore(0)
        nudge = Nudger(lambda: (given.append(1), go.release()), seconds=0.05)  # type: ignore[func-returns-value, arg-type]

        for _ in range(100):
            nudge()
        go.acquire(timeout=20)
        assert len(given) <= 2
        go.acquire(blocking=False)
        nudge()

        assert go.acquire(timeout=20)

    def test_that_fails_does_not_end_it(self, caplog: pytest.LogCaptureFixture) -> None:
        told = threading.Event()
        calls = iter([True, False])

        def publish() -> None:
            if next(calls):
                nudge()
                raise RuntimeError("The broker fell over")
            told.set()

        nudge = Nudger(publish, seconds=0.0)
        nudge()

        assert told.wait(20)

    def test_comes_with_the_commit_of_an_event(self, committed: None) -> None:
        heard: list[str] = []
        listeners.register(lambda: heard.append("news"))

        account = make_account(balance=10)
        assert heard
        heard.clear()
        spend(account, 1)

        assert heard == ["news"]
        listeners.forget()


class TestAWorker:
    def test_that_is_told_sends_at_once_and_comes_back_for_what_failed(
        self, worker: subprocess.Popen[bytes], hook: Hook, alice: Account
    ) -> None:
        hook.receiver.next(Reply(500))

        tasks.nudge_news()

        until(lambda: hook.statuses == ["delivered"], "It was not sent.")
        assert hook.deliveries[0].attempts == 2

    def test_that_came_too_early_comes_back(self, worker: subprocess.Popen[bytes], hook: Hook, alice: Account) -> None:
        """An event that is committed before another that began earlier is not settled when its nudge comes."""
        late = make_account(external_id="late", balance=10)
        with uncommitted(lambda: spend(late, 1)):
            spend(alice, 1)
            tasks.tell_news_now()
            assert "evt.credits.consumed" not in {row.type for row in hook.deliveries}

        until(lambda: hook.statuses == ["delivered"] * 4, "It was not sent.")

    def test_is_told_by_the_api(self, worker: subprocess.Popen[bytes], receiver: Receiver, alice: Account) -> None:
        hook, api = Hook(receiver, event_types=MOVEMENTS), Api()
        spend(alice, 1)
        fanout.fan_out()

        api.patch(f"/api/v1/webhook-endpoints/{hook.endpoint.pk}", {"status": "disabled"})
        api.patch(f"/api/v1/webhook-endpoints/{hook.endpoint.pk}", {"status": "active"})

        until(lambda: hook.statuses == ["delivered"], "It was not sent.")


def test_only_what_is_due_soon_is_come_back_for(hook: Hook, alice: Account) -> None:
    now = timezone.now()
    assert deliveries.soonest(60.0) is None
    hook.receiver.next(Reply(500))
    hook.work(now=now)

    wait = deliveries.soonest(60.0, now=now)
    assert wait is not None
    assert 4 <= wait <= 6
    assert deliveries.soonest(60.0, now=now + timedelta(minutes=1)) == 0
    assert deliveries.soonest(1.0, now=now) is None
    hook.work(now=now + timedelta(minutes=1))
    assert deliveries.soonest(60.0) is None


def test_the_jobs_have_tasks() -> None:
    names: Any = app.tasks

    assert {f"florin.{job}" for job in ("deliver_webhooks", "send_notices", "purge_deliveries")} <= set(names)
