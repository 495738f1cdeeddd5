"""Webhooks out: signed, in order, one at a time, again after a failure, and given up in the end."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from billing.models import DeliveryStatus, EndpointStatus, WebhookAttempt, WebhookDelivery
from billing.providers.receivers import Outcome
from billing.services import deliveries, endpoints, fanout, replays
from credits.models import Account, Event
from tests.factories import give, make_account, spend
from tests.fakes.receiver import Drop, Flood, Hang, Receiver, Reply, Wait
from tests.threads import at_once
from tests.webhooks.conftest import MOVEMENTS, Hook

PENDING, DELIVERED, FAILED = DeliveryStatus.PENDING, DeliveryStatus.DELIVERED, DeliveryStatus.FAILED


class TestADelivery:
    def test_is_signed_and_says_what_happened_to_the_digit(self, hook: Hook) -> None:
        account = make_account(external_id="ada", unit="USD")
        give(account, Decimal("999999999999.123456"))
        spend(account, Decimal("0.000001"))

        assert hook.work() == 2

        first, second = hook.receiver.verified
        assert (first["type"], second["type"]) == ("evt.credits.recharged", "evt.credits.consumed")
        assert second["data"]["merchant_id"] == "ada"
        body = hook.receiver.received[1].body.decode()
        exact = json.loads(body, parse_float=Decimal)["data"]
        assert exact["new_balance"] == Decimal("999999999999.123455")
        event = Event.objects.order_by("-pk")[0]
        assert second["id"] == hook.receiver.ids[1] == f"evt_{event.pk}"
        assert second["timestamp"] == event.recorded_at.isoformat()
        assert hook.statuses == [DELIVERED, DELIVERED]
        assert hook.row.last_success_at is not None

    def test_is_of_the_types_asked_for(self, committed: None, receiver: Receiver) -> None:
        low = Hook(receiver, event_types=["evt.credits.low_balance_reached"])
        account = make_account(external_id="ada", balance=100)
        for _ in range(17):
            spend(account, 5)

        low.work()

        assert [each["type"] for each in receiver.verified] == ["evt.credits.low_balance_reached"]
        assert receiver.verified[0]["data"]["new_balance"] == 20

    def test_is_of_its_owner_in_every_unit(self, committed: None, receiver: Receiver) -> None:
        ada = Hook(receiver, owner="ada", event_types=MOVEMENTS)
        for owner, unit in (("ada", "credits"), ("ada", "USD"), ("eve", "credits")):
            give(make_account(external_id=owner, unit=unit), 5)

        ada.work()

        told = [(each["data"]["merchant_id"], each["data"]["unit"]) for each in receiver.verified]
        assert told == [("ada", "credits"), ("ada", "USD")]

    def test_is_not_of_what_happened_before_there_was_an_endpoint(self, committed: None, receiver: Receiver) -> None:
        make_account(external_id="ada", balance=100)

        assert Hook(receiver).work() == 0

    def test_is_kept_with_every_try(self, hook: Hook, alice: Account) -> None:
        hook.receiver.next(Reply(500, b"oops"), Drop(), Reply(200, b"thanks"))
        now = timezone.now()
        for hour in range(3):
            hook.work(now=now + timedelta(hours=hour))

        tries = WebhookAttempt.objects.order_by("number").values_list("number", "answer", "error", "excerpt")
        assert [each[:2] for each in tries] == [(1, 500), (2, None), (3, 200)]
        assert [each[3] for each in tries] == ["oops", "", "thanks"]
        assert tries[0][2] == "It answered 500."
        row = hook.deliveries[0]
        assert (row.attempts, row.answer, row.error, row.excerpt) == (3, 200, "", "thanks")


class TestOrder:
    def test_is_kept_while_the_first_fails(self, hook: Hook, alice: Account) -> None:
        for _ in range(3):
            spend(alice, 1)
        hook.receiver.next(Reply(500), Reply(503))
        now = timezone.now()

        assert hook.work(now=now) == 1
        assert hook.work(now=now + timedelta(seconds=1)) == 0
        assert hook.work(now=now + timedelta(minutes=1)) == 1
        assert hook.work(now=now + timedelta(minutes=2)) == 4

        events = [
            f"evt_{pk}" for pk in Event.objects.filter(type__in=MOVEMENTS).order_by("pk").values_list("pk", flat=True)
        ]
        assert hook.receiver.ids == [events[0], events[0], *events]

    def test_is_kept_with_one_request_at_a_time_by_many_workers(self, hook: Hook, alice: Account) -> None:
        for _ in range(20):
            spend(alice, 1)
        fanout.fan_out()

        sent = at_once([deliveries.send_due] * 6)

        assert [each for each in sent if isinstance(each, Exception)] == []
        assert sum(each for each in sent if isinstance(each, int)) == 21
        assert hook.receiver.ids == [row.message_id for row in hook.deliveries]
        assert hook.receiver.most_at_once == 1

    def test_of_one_endpoint_holds_up_no_other(self, hook: Hook, alice: Account, settings: Any) -> None:
        settings.WEBHOOK_TIMEOUT_SECONDS = 30
        with Receiver() as slow:
            go = threading.Event()
            stuck = Hook(slow, owner=alice.external_id, event_types=["evt.credits.consumed"])
            slow.next(Wait(go))
            spend(alice, 1)
            fanout.fan_out()
            turns = [deliveries.claim(), deliveries.claim()]
            first, other = sorted((each for each in turns if each), key=lambda turn: turn.endpoint != stuck.endpoint)
            busy = threading.Thread(target=at_once, args=([partial(deliveries.attempt, first)],))
            busy.start()

            deliveries.attempt(other)
            assert deliveries.send_due() == 1
            go.set()
            busy.join()

            assert hook.statuses == [DELIVERED, DELIVERED]
            assert stuck.statuses == [DELIVERED]


class TestAFailure:
    def test_is_tried_again_later_and_later(self) -> None:
        first = [deliveries.pause(1).total_seconds() for _ in range(50)]
        assert 4 <= min(first) < max(first) <= 6
        assert 16 <= deliveries.pause(3).total_seconds() <= 24
        assert deliveries.pause(40) <= deliveries.LONGEST_PAUSE * (1 + deliveries.SPREAD)
        assert deliveries.pause(1, 600.0).total_seconds() == 600
        assert deliveries.pause(1, 10**9).total_seconds() == 3600

    @pytest.mark.parametrize(
        ("step", "error"),
        [
            (Reply(302, b"", {"Location": "http://169.254.169.254/"}), "redirects are not followed"),
            (Hang(), "No answer within 1 s"),
            (Flood(status=500), "It answered 500."),
        ],
    )
    def test_of_any_kind_leaves_the_delivery_to_be_tried_again(
        self, hook: Hook, alice: Account, step: Any, error: str
    ) -> None:
        hook.receiver.next(step)
        now = timezone.now()

        hook.work(now=now)

        row = hook.deliveries[0]
        assert (row.status, row.attempts) == (PENDING, 1)
        assert error in row.error
        assert (hook.row.failures, hook.row.failing_since) == (1, now)
        hook.work(now=now + timedelta(minutes=1))
        assert hook.statuses == [DELIVERED]
        assert (hook.row.failures, hook.row.failing_since) == (0, None)

    def test_for_three_days_gives_it_up_and_the_next_goes_on(self, hook: Hook, alice: Account) -> None:
        spend(alice, 1)
        now = timezone.now()
        hook.receiver.next(Reply(500), Reply(500))
        hook.work(now=now)

        hook.work(now=now + timedelta(days=3, minutes=1))
        assert hook.statuses == [FAILED, PENDING]
        hook.work(now=now + timedelta(days=3, hours=2))

        assert hook.statuses == [FAILED, DELIVERED]

    def test_that_lasts_disables_the_endpoint(self, hook: Hook, alice: Account, caplog: Any) -> None:
        now = timezone.now()
        hook.receiver.next(Reply(500), Reply(500))
        hook.work(now=now)
        spend(alice, 1)

        hook.work(now=now + timedelta(days=5, minutes=1))

        assert hook.row.status == EndpointStatus.DISABLED
        assert hook.row.status_reason == "It failed for 120 hours: It answered 500."
        assert "is disabled" in caplog.text
        assert hook.work(now=now + timedelta(days=6)) == 0
        spend(alice, 1)
        fanout.fan_out()
        assert hook.statuses == [FAILED, PENDING]

        endpoints.enable_endpoint(hook.row)
        spend(alice, 1)
        hook.work(now=now + timedelta(days=6))

        assert hook.statuses == [FAILED, DELIVERED, DELIVERED]

    def test_of_410_disables_it_at_once(self, hook: Hook, alice: Account) -> None:
        hook.receiver.next(Reply(410))

        hook.work()

        assert (hook.row.status, hook.statuses) == (EndpointStatus.DISABLED, [FAILED])

    def test_to_open_the_secret_is_told_and_sends_nothing(self, hook: Hook, alice: Account, settings: Any) -> None:
        settings.WEBHOOK_SECRETS_KEY = ["another"]
        hook.work()
        assert "look at WEBHOOK_SECRETS_KEY" in hook.deliveries[0].error
        assert hook.receiver.received == []

        settings.WEBHOOK_SECRETS_KEY = ["another", settings.SECRET_KEY]
        hook.work(now=timezone.now() + timedelta(minutes=1))
        assert hook.statuses == [DELIVERED]


class TestAWorkerThatWasOvertaken:
    def test_records_nothing(self, hook: Hook, alice: Account) -> None:
        fanout.fan_out()
        now = timezone.now()
        slow = deliveries.claim(now=now)
        assert slow is not None
        assert deliveries.claim(now=now) is None
        later = now + deliveries.lease() + timedelta(seconds=1)
        quick = deliveries.claim(now=later)
        assert quick is not None

        with pytest.raises(deliveries.Superseded):
            deliveries.record(slow, Outcome(200))
        assert hook.statuses == [PENDING]
        deliveries.attempt(quick, now=later)

        assert hook.statuses == [DELIVERED]
        assert hook.deliveries[0].attempts == 2


class TestSecrets:
    def test_that_are_rotated_sign_both_for_a_while(self, hook: Hook, alice: Account) -> None:
        old = hook.secret
        _, new = endpoints.rotate_secret(hook.row, overlap=timedelta(hours=1))
        now = timezone.now()

        hook.receiver.secret = old
        hook.work(now=now)
        hook.receiver.secret = new
        spend(alice, 1)
        hook.work(now=now)
        assert len(hook.receiver.verified) == 2
        assert len(hook.receiver.received[0].headers["webhook-signature"].split()) == 2

        spend(alice, 1)
        hook.work(now=now + timedelta(hours=1, minutes=1))
        assert len(hook.receiver.received[2].headers["webhook-signature"].split()) == 1
        assert len(hook.receiver.verified) == 3

    def test_are_not_to_be_read_in_the_database(self, hook: Hook) -> None:
        kept = hook.endpoint.secrets.get()

        assert hook.secret.startswith("whsec_")
        assert hook.secret.removeprefix("whsec_") not in kept.sealed
        assert str(kept) == f"whsec_…{hook.secret.rstrip('=')[-4:]}"
        assert endpoints.purge_secrets(timezone.now()) == 0


class TestByHand:
    def test_a_replay_really_sends_again(self, hook: Hook, alice: Account) -> None:
        hook.work()
        first = hook.deliveries[0]
        assert replays.replay_delivery(first)
        assert not replays.replay_delivery(first)

        hook.work()

        assert hook.receiver.ids == [first.message_id] * 2
        assert (hook.statuses, hook.deliveries[0].attempts) == ([DELIVERED], 2)

    def test_a_replay_of_all_that_failed_is_in_order(self, hook: Hook, alice: Account) -> None:
        for _ in range(3):
            spend(alice, 1)
        fanout.fan_out()
        for row in hook.deliveries[:3]:
            assert replays.give_up_delivery(row)
        hook.work()
        assert hook.statuses == [FAILED, FAILED, FAILED, DELIVERED]
        hook.receiver.received.clear()

        assert replays.replay_failed(hook.row) == 3
        hook.work()

        assert hook.receiver.ids == [row.message_id for row in hook.deliveries[:3]]
        assert replays.replay_failed(hook.row) == 0

    def test_what_is_given_up_holds_up_no_more(self, hook: Hook, alice: Account) -> None:
        spend(alice, 1)
        hook.receiver.next(Reply(400))
        now = timezone.now()
        hook.work(now=now)

        assert replays.give_up_delivery(hook.deliveries[0], now=now)
        assert not replays.give_up_delivery(hook.deliveries[0], now=now)
        hook.work(now=now)

        assert hook.statuses == [FAILED, DELIVERED]

    def test_a_test_passes_by_what_waits_and_is_not_tried_again(self, hook: Hook, alice: Account) -> None:
        hook.receiver.next(Reply(500), Reply(200), Reply(500))
        now = timezone.now()
        hook.work(now=now)

        good, bad = replays.ping_endpoint(hook.row), replays.ping_endpoint(hook.row)

        assert (good.status, bad.status) == (DELIVERED, FAILED)
        assert hook.receiver.verified[1]["type"] == "evt.webhooks.ping"
        assert hook.statuses == [PENDING, DELIVERED, FAILED]
        assert hook.row.failures == 1
        assert replays.replay_failed(hook.row) == 0

    def test_a_deleted_endpoint_is_sent_nothing_any_more(self, hook: Hook, alice: Account) -> None:
        fanout.fan_out()

        endpoints.delete_endpoint(hook.row, reason="By web-prod")

        spend(alice, 1)
        assert hook.work() == 0
        assert [(row.status, row.error) for row in hook.deliveries] == [(FAILED, "The endpoint was deleted.")]
        assert not hook.endpoint.secrets.exists()

    def test_what_was_sent_long_ago_is_deleted_and_what_waits_is_not(self, hook: Hook, alice: Account) -> None:
        hook.work()
        spend(alice, 1)
        fanout.fan_out()

        assert replays.purge_deliveries() == 0
        assert replays.purge_deliveries(now=timezone.now() + timedelta(days=31)) == 1

        assert hook.statuses == [PENDING]
        assert WebhookDelivery.objects.count() == 1
