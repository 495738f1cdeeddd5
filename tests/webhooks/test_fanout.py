"""From the outbox to deliveries: each event once for each endpoint, whoever reads, dies or commits late."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from django.utils import timezone

from billing.models import DeliveryStatus, OutboxMark, WebhookDelivery
from billing.services import deliveries, fanout, outbox
from credits.models import Account, Event
from tests.concurrency.test_event_order import uncommitted
from tests.factories import make_account, spend
from tests.fakes.receiver import Receiver
from tests.processes import ROOT, environment
from tests.threads import at_once
from tests.webhooks.conftest import MOVEMENTS, Hook
from tests.webhooks.dying import READING, SENDING


def ids(*types: str) -> list[int]:
    return list(Event.objects.filter(type__in=types or MOVEMENTS).order_by("pk").values_list("pk", flat=True))


class TestTwoAtOnce:
    def test_make_one_delivery_of_each_event_for_each_endpoint(self, hook: Hook, alice: Account) -> None:
        with Receiver() as other:
            second = Hook(other)
            for _ in range(30):
                spend(alice, 1)

            read = at_once([fanout.fan_out] * 4)

        assert [each for each in read if isinstance(each, Exception)] == []
        assert [row.event_id for row in hook.deliveries] == ids()
        assert [row.event_id for row in second.deliveries] == [pk for pk in ids() if pk > second.endpoint.after_event]

    def test_with_writers_beside_them_skip_nothing(self, hook: Hook, alice: Account) -> None:
        accounts = [make_account(balance=100) for _ in range(4)]

        def write(account: Account) -> int:
            for _ in range(25):
                spend(account, 1)
            return 0

        def read() -> int:
            return sum(int(fanout.fan_out()) for _ in range(20))

        outcomes = at_once([*(lambda account=each: write(account) for each in accounts), read, read])
        fanout.fan_out()

        assert [each for each in outcomes if isinstance(each, Exception)] == []
        assert [row.event_id for row in hook.deliveries] == ids()

    def test_a_late_commit_is_waited_for_and_comes_in_its_place(self, hook: Hook, alice: Account) -> None:
        late = make_account(external_id="late", balance=10)
        fanout.fan_out()
        before = len(hook.deliveries)

        with uncommitted(lambda: spend(late, 1)):
            # This one's id is higher, and it is committed first.
            spend(alice, 1)
            fanout.fan_out()
            assert len(hook.deliveries) == before
        fanout.fan_out()

        told = [row.event_id for row in hook.deliveries]
        assert told == ids()
        assert len(told) == before + 2


class TestTheMark:
    def test_keeps_events_that_nobody_has_read(self, hook: Hook, alice: Account) -> None:
        assert outbox.first_unread() == Event.objects.order_by("pk")[0].pk

        fanout.fan_out()
        outbox.read_on(outbox.NOTICES, lambda _: None, types=["evt.credits.low_balance_reached"])

        assert outbox.first_unread() is None
        assert {mark.event for mark in OutboxMark.objects.all()} == {Event.objects.order_by("-pk")[0].pk}


class TestAKill:
    @pytest.mark.parametrize("point", [*READING, *SENDING])
    def test_at_any_point_loses_nothing_and_the_next_worker_goes_on(
        self, hook: Hook, alice: Account, point: str
    ) -> None:
        spend(alice, 1)
        command = [sys.executable, "-m", "tests.webhooks.dying", point]

        told = environment(WEBHOOK_TIMEOUT_SECONDS="1")

        killed = subprocess.run(command, cwd=ROOT, env=told, capture_output=True, check=False, timeout=60)
        assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
        assert WebhookDelivery.objects.count() == (0 if point == "read" else 2)
        hook.work(now=timezone.now() + deliveries.lease() + timedelta(seconds=1))

        assert hook.statuses == [DeliveryStatus.DELIVERED] * 2
        wanted = [row.message_id for row in hook.deliveries]
        # Whoever was killed between the answer and its record has the first sent again, under the same id.
        again = [wanted[0]] if point in {"sent", "recorded"} else []
        assert hook.receiver.ids == again + wanted
        assert hook.deliveries[0].attempts == (2 if point in {"claimed", "sent", "recorded"} else 1)
