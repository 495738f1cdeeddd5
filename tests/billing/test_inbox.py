"""The inbox: whoever dies, whenever, each event is applied once; what cannot be applied waits and is tried again."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from billing import handlers
from billing.models import EventState, ProviderEvent
from billing.providers.stripe_events import read_event
from billing.services import inbox, reconciliation
from credits.models import Account, Transaction
from tests.billing.dying import POINTS
from tests.billing.till import Till, standing
from tests.conftest import stripe_settings
from tests.fakes.stripe import Fault
from tests.processes import ROOT, celery, environment, until
from tests.threads import at_once


@pytest.fixture
def paid(till: Till, bob: Account) -> dict[str, Any]:
    """The event of a payment, stored and not processed."""
    till.buy(bob)
    event = next(each for each in till.news() if each["type"] == "payment_intent.succeeded")
    inbox.store_event(read_event(event))
    return event


class TestWhatFailed:
    def test_is_tried_again_without_a_clock(
        self, till: Till, paid: dict[str, Any], bob: Account, worker: subprocess.Popen[bytes]
    ) -> None:
        till.fake.api.faults.extend([Fault(), Fault(), Fault()])

        assert till.knock(paid).status_code == 200

        until(lambda: standing(bob)[0] == 100, "The credits never came.")
        assert ProviderEvent.objects.get().attempts == 2


class TestAWorkerThatDied:
    def test_is_replaced_when_its_lease_is_over(self, till: Till, paid: dict[str, Any], bob: Account) -> None:
        now = timezone.now()
        assert inbox.claim(now=now) is not None
        assert inbox.claim(now=now) is None

        later = now + inbox.LEASE + timedelta(seconds=1)
        inbox.process_due_events(handlers.look_up, now=later)

        assert standing(bob)[0] == 100
        assert ProviderEvent.objects.get().attempts == 2

    def test_and_comes_back_can_no_longer_apply_what_it_knew(
        self, till: Till, paid: dict[str, Any], bob: Account
    ) -> None:
        now = timezone.now()
        slow = inbox.claim(now=now)
        assert slow is not None
        quick = inbox.claim(now=now + inbox.LEASE + timedelta(seconds=1))
        assert quick is not None

        inbox.process(slow, handlers.look_up)
        assert standing(bob)[0] == 0
        inbox.process(quick, handlers.look_up)

        assert standing(bob)[0] == 100

    def test_is_replaced_by_the_next_that_starts(self, till: Till, paid: dict[str, Any], bob: Account) -> None:
        """No webhook, and no beat, says anything: only its lease has run out."""
        assert inbox.claim() is not None
        ProviderEvent.objects.update(next_try_at=timezone.now())

        with celery("worker", "--pool", "solo", **stripe_settings(till.fake)):
            until(lambda: ProviderEvent.objects.get().state == EventState.DONE, "Nobody took the event up.")

        assert standing(bob)[0] == 100

    @pytest.mark.faults
    def test_just_now_is_replaced_within_seconds(self, till: Till, paid: dict[str, Any], bob: Account) -> None:
        told = {**environment(), **stripe_settings(till.fake)}
        killed = subprocess.run([sys.executable, "-m", "tests.billing.dying", "looked up"], cwd=ROOT, env=told,
                                capture_output=True, check=False, timeout=60)  # fmt: skip
        assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()

        with celery("worker", "--pool", "solo", **stripe_settings(till.fake)):
            until(lambda: ProviderEvent.objects.get().state == EventState.DONE, "Nobody took the event up.")

        assert standing(bob)[0] == 100


class TestAWorkerThatTakesLong:
    """Its lease has begun long ago, and it gives signs of life."""

    @pytest.fixture
    def lasting(self, monkeypatch: pytest.MonkeyPatch) -> datetime:
        """Return when an event is claimed: its lease runs out at once, unless it is renewed."""
        monkeypatch.setattr(inbox, "BEAT", timedelta(milliseconds=20))
        return timezone.now()

    def test_keeps_what_it_claimed(self, till: Till, paid: dict[str, Any], bob: Account, lasting: datetime) -> None:
        claimed = inbox.claim(now=lasting)
        assert claimed is not None
        lease = claimed.next_try_at
        assert lease is not None

        def slow(event: ProviderEvent) -> inbox.Apply:
            until(lambda: ProviderEvent.objects.get().next_try_at > lease, "The lease was not renewed.")  # type: ignore[operator]
            assert inbox.claim(now=lease) is None
            return handlers.look_up(event)

        inbox.process(claimed, slow)

        assert standing(bob)[0] == 100
        assert ProviderEvent.objects.get().attempts == 1

    def test_goes_on_while_it_applies(self, till: Till, paid: dict[str, Any], bob: Account, lasting: datetime) -> None:
        """The row is locked then, by itself: a sign of life neither waits for that nor is in its way."""
        beats: list[int] = []

        def slow(event: ProviderEvent) -> inbox.Apply:
            apply = handlers.look_up(event)

            def later() -> None:
                apply()
                began = len(beats)
                until(lambda: len(beats) > began + 2, "No sign of life was given.")

            return later

        renew = inbox._renew

        def counted(event: ProviderEvent, gone: timedelta, *, until: datetime) -> None:
            renew(event, gone, until=until)
            beats.append(1)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(inbox, "_renew", counted)
            inbox.process_due_events(slow)

        assert standing(bob)[0] == 100

    def test_for_ever_is_replaced(
        self, till: Till, paid: dict[str, Any], bob: Account, lasting: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(inbox, "LONGEST_ATTEMPT", timedelta(0))
        claimed = inbox.claim(now=lasting)
        assert claimed is not None

        def hung(event: ProviderEvent) -> inbox.Apply:
            until(lambda: not [each for each in threading.enumerate() if each.name == "lease"], "It beats on.")
            inbox.process_due_events(handlers.look_up, now=lasting + inbox.LEASE + timedelta(seconds=1))
            return handlers.look_up(event)

        inbox.process(claimed, hung)

        assert standing(bob)[0] == 100
        assert ProviderEvent.objects.get().attempts == 2


class TestTheProvider:
    def test_that_is_away_is_asked_again_later(self, till: Till, paid: dict[str, Any], bob: Account) -> None:
        # The SDK tries three times by itself.
        till.fake.api.faults.extend([Fault(), Fault(), Fault()])
        now = timezone.now()

        assert inbox.process_due_events(handlers.look_up, now=now) == 1
        event = ProviderEvent.objects.get()
        assert (event.state, event.next_try_at) == (EventState.RECEIVED, now + inbox.FIRST_PAUSE)
        assert "StripeUnreachable" in event.error
        inbox.process_due_events(handlers.look_up, now=now + inbox.FIRST_PAUSE)

        assert standing(bob)[0] == 100
        assert ProviderEvent.objects.get().error == ""


class TestTwoOfASubject:
    def test_are_processed_one_after_the_other(self, till: Till, paid: dict[str, Any]) -> None:
        inbox.store_event(read_event({**paid, "id": "evt_other"}))

        first = inbox.claim()

        assert first is not None
        assert inbox.claim() is None
        inbox.process(first, handlers.look_up)
        assert inbox.claim() is not None


class TestWhatFails:
    def test_is_given_up_after_days_and_a_replay_really_runs_it(
        self, till: Till, paid: dict[str, Any], bob: Account
    ) -> None:
        def broken(_: ProviderEvent) -> inbox.Apply:
            raise RuntimeError("Out of order")

        inbox.process_due_events(broken, now=timezone.now() + inbox.PATIENCE + timedelta(minutes=1))
        event = ProviderEvent.objects.get()
        assert (event.state, event.error) == (EventState.FAILED, "RuntimeError: Out of order")
        till.work()
        assert standing(bob)[0] == 0

        assert inbox.replay(event)
        till.work()

        assert standing(bob)[0] == 100

    def test_replayed_has_its_patience_anew_and_still_came_when_it_came(
        self, till: Till, paid: dict[str, Any], bob: Account
    ) -> None:
        def broken(_: ProviderEvent) -> inbox.Apply:
            raise RuntimeError("Out of order")

        came, later = ProviderEvent.objects.get().received_at, timezone.now() + inbox.PATIENCE + timedelta(minutes=1)
        inbox.process_due_events(broken, now=later)
        inbox.replay(ProviderEvent.objects.get(), now=later)

        inbox.process_due_events(broken, now=later)

        event = ProviderEvent.objects.get()
        assert (event.state, event.received_at, event.tried_since) == (EventState.RECEIVED, came, later)
        with pytest.raises(DatabaseError), transaction.atomic():
            ProviderEvent.objects.update(received_at=later)

    def test_halfway_leaves_nothing_behind(
        self, till: Till, paid: dict[str, Any], bob: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def half(event: ProviderEvent) -> inbox.Apply:
            apply = handlers.look_up(event)

            def then_fail() -> None:
                apply()
                raise RuntimeError("The power went")

            return then_fail

        inbox.process_due_events(half, most=1)

        assert not Transaction.objects.filter(account=bob).exists()
        assert ProviderEvent.objects.get().state == EventState.RECEIVED


class TestReconciliation:
    def test_takes_in_what_never_came(self, till: Till, bob: Account) -> None:
        till.buy(bob)

        assert reconciliation.take_in_missing() > 0
        assert reconciliation.take_in_missing() == 0
        till.work()

        assert standing(bob)[0] == 100
        assert till.unhappy() == []


class TestAFlood:
    def test_of_one_customer_s_webhooks_ends_in_the_same(self, till: Till, bob: Account) -> None:
        flood(till, bob, packs=40, least=200)

    @pytest.mark.faults
    def test_of_a_thousand_ends_in_the_same(self, till: Till, bob: Account) -> None:
        flood(till, bob, packs=200, least=1000)


def flood(till: Till, account: Account, *, packs: int, least: int) -> None:
    """Bring all webhooks of so many packs at once, and let eight workers process them."""
    for _ in range(packs):
        till.buy(account)
    events = till.news()
    assert len(events) >= least

    parts = [events[start::16] for start in range(16)]
    stored = at_once([partial(knock_all, till, part) for part in parts])
    assert stored == [{200}] * 16
    until_done(till)

    assert standing(account)[0] == packs * 100
    assert Transaction.objects.filter(account=account, kind="topup").count() == packs


def knock_all(till: Till, events: list[dict[str, Any]]) -> set[int]:
    return {till.knock(event).status_code for event in events}


def until_done(till: Till) -> None:
    """Let eight workers process, with what is tried again, until nothing waits."""
    now = timezone.now()
    for turn in range(20):
        later = now + timedelta(minutes=turn)
        outcomes = at_once([lambda: inbox.process_due_events(handlers.look_up, now=later)] * 8)  # noqa: B023
        assert [each for each in outcomes if isinstance(each, Exception)] == []
        if not inbox.waiting():
            break
    assert till.unhappy() == []


def purchase(till: Till, account: Account) -> str:
    till.buy(account)
    return "payment_intent.succeeded"


def subscription(till: Till, account: Account) -> str:
    till.subscribe(account)
    return "customer.subscription.created"


def refund(till: Till, account: Account) -> str:
    """Half of a pack that came in goes back."""
    checkout = till.buy(account)
    till.deliver()
    till.fake.refund(till.charge(checkout), 500)
    return "charge.refunded"


class TestAKill:
    @pytest.mark.parametrize(
        ("happens", "before", "after"), [(purchase, 0, 100), (subscription, 0, 1000), (refund, 100, 50)]
    )
    @pytest.mark.parametrize("point", POINTS)
    def test_at_any_point_loses_nothing_and_doubles_nothing(
        self, till: Till, bob: Account, point: str, happens: Any, before: int, after: int
    ) -> None:
        kind = happens(till, bob)
        inbox.store_event(read_event(next(each for each in till.news() if each["type"] == kind)))
        told = {**environment(), **stripe_settings(till.fake)}
        command = [sys.executable, "-m", "tests.billing.dying", point]

        killed = subprocess.run(command, cwd=ROOT, env=told, capture_output=True, check=False, timeout=60)
        assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
        assert standing(bob)[0] == (after if point == "ended" else before)
        moved = Transaction.objects.filter(account=bob).count()
        inbox.process_due_events(handlers.look_up, now=timezone.now() + inbox.LEASE + timedelta(seconds=1))

        assert standing(bob)[0] == after
        assert Transaction.objects.filter(account=bob).count() == moved + (point != "ended")
        assert till.unhappy() == []
