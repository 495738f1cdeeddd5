"""The webhook inbox: events are stored as they come, and processed one by one by whoever gets hold of them.

A step is a transaction: an event is claimed, what it is about is looked up outside of any, and what that means is
applied together with the event's end. A crash loses nothing, wherever it comes: before the end nothing of the event is
applied, and whoever was to finish it is taken to be gone when its lease has run out, which it renews while it lives.
The number of the attempt is the fence: one that was overtaken can no longer apply what it had looked up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from billing import refusals
from billing.models import EventState, ProviderEvent
from billing.models.events import WAITING
from billing.providers.stripe_objects import Event
from billing.services.leases import renewing
from credits.services.runs import Done

log = logging.getLogger(__name__)

# How long after its last sign of life a worker is taken to be dead, and how often it gives one.
LEASE, BEAT = timedelta(seconds=15), timedelta(seconds=4)
# How long one attempt may take: longer than every try of every question that it asks. Whoever hangs is replaced then.
LONGEST_ATTEMPT = timedelta(minutes=5)
# How long until the next attempt: doubled each time, up to the longest.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=2), timedelta(hours=1)
# How long what fails, or waits for what it belongs to, is tried again.
PATIENCE = timedelta(days=3)

Apply = Callable[[], None]
LookUp = Callable[[ProviderEvent], Apply]


class Superseded(Exception):
    """Another worker took the event over: this one was away for longer than its lease. Nothing was applied."""


def store_event(event: Event, *, source: str = "webhook", now: datetime | None = None) -> bool:
    """Take an event in, once for ever. Returns whether it is new."""
    now, about = now or timezone.now(), event.payload["data"]["object"]
    row = ProviderEvent(
        event_id=event.id,
        type=event.type,
        livemode=event.livemode,
        subject=subject_of(about),
        customer=customer_of(about),
        created_at=event.created,
        payload=event.payload,
        source=source,
        next_try_at=now,
        received_at=now,
        tried_since=now,
    )
    ProviderEvent.objects.bulk_create([row], ignore_conflicts=True)
    # With conflicts ignored the database does not tell which row it was.
    return ProviderEvent.objects.filter(event_id=event.id, received_at=now).exists()


def subject_of(about: dict[str, Any]) -> str:
    """Return what an event's object belongs to: a payment, else a subscription, else a customer, else itself."""
    if about.get("object") in {"payment_intent", "subscription", "customer"}:
        return str(about["id"])
    details = (about.get("parent") or {}).get("subscription_details") or {}
    chain = (about.get("payment_intent"), details.get("subscription"), about.get("subscription"), about.get("customer"))
    return _id_of(next((each for each in chain if each), about.get("id", "")))


def customer_of(about: dict[str, Any]) -> str:
    """Return the customer that an event's object belongs to, where it says so: for support to find it."""
    return _id_of(about["id"] if about.get("object") == "customer" else about.get("customer") or "")


def _id_of(told: dict[str, Any] | str) -> str:
    return str(told["id"] if isinstance(told, dict) else told)


def process_due_events(look_up: LookUp, *, now: datetime | None = None, most: int = 10_000) -> Done:
    """Process every event that is due. Returns how many were. Several may do so at once."""
    done = 0
    while done < most and (event := claim(now=now)) is not None:
        process(event, look_up, now=now)
        done += 1
    return Done(done)


def claim(*, now: datetime | None = None) -> ProviderEvent | None:
    """Take the next due event for an attempt, if there is one that nobody else has."""
    now = now or timezone.now()
    while True:
        try:
            return _claim(now)
        except IntegrityError:
            # Another worker has just begun an event of the same subject: that subject's turn is over for now.
            log.debug("An event's subject was taken meanwhile")


@transaction.atomic
def _claim(now: datetime) -> ProviderEvent | None:
    busy = ProviderEvent.objects.filter(state=EventState.PROCESSING, subject=OuterRef("subject"))
    busy = busy.exclude(pk=OuterRef("pk")).exclude(subject="")
    due = ProviderEvent.objects.filter(next_try_at__lte=now).exclude(Exists(busy)).order_by("next_try_at", "id")
    event = due.select_for_update(skip_locked=True, no_key=True).first()
    if event is None:
        return None
    event.state, event.attempts, event.next_try_at = EventState.PROCESSING, event.attempts + 1, now + LEASE
    event.save(update_fields=["state", "attempts", "next_try_at"])
    return event


def process(event: ProviderEvent, look_up: LookUp, *, now: datetime | None = None) -> None:
    """Process a claimed event: look up what is so, then apply that and end the event, in one transaction."""
    renew = partial(_renew, event, until=(now or timezone.now()) + LEASE)
    try:
        with renewing(renew, every=BEAT, longest=LONGEST_ATTEMPT):
            apply = look_up(event)
            with transaction.atomic():
                _own(event)
                apply()
                _end(event, EventState.DONE, now)
    except Superseded:
        log.warning("Event %s was taken over by another worker", event.event_id)
    except refusals.NotOurs as told:
        _close(event, EventState.IGNORED, str(told), now)
    except refusals.ParentUnknown as told:
        _put_back(event, EventState.PARKED, str(told), now)
    except Exception as error:
        log.exception("Event %s (%s) could not be processed", event.event_id, event.type)
        _put_back(event, EventState.RECEIVED, f"{type(error).__name__}: {error}"[:2000], now)


def wake(subject: str, *, now: datetime | None = None) -> None:
    """Let what waited for something of a subject be tried at once: it is here now."""
    waiting = ProviderEvent.objects.filter(subject=subject, state=EventState.PARKED)
    waiting.update(next_try_at=now or timezone.now())


@transaction.atomic
def replay(event: ProviderEvent, *, now: datetime | None = None) -> bool:
    """Let an event be processed again, whatever became of it. Returns False for one that is being processed."""
    row = ProviderEvent.objects.select_for_update(no_key=True).get(pk=event.pk)
    now = now or timezone.now()
    if row.state == EventState.PROCESSING and row.next_try_at is not None and row.next_try_at > now:
        return False
    row.state, row.next_try_at, row.done_at = EventState.RECEIVED, now, None
    # Its patience begins anew; when it came stays what it was.
    row.tried_since = now
    row.save(update_fields=["state", "next_try_at", "done_at", "tried_since"])
    return True


def _own(event: ProviderEvent) -> None:
    """Lock a claimed event. Raises Superseded where it is another's by now."""
    mine = ProviderEvent.objects.filter(pk=event.pk, state=EventState.PROCESSING, attempts=event.attempts)
    if not mine.select_for_update(no_key=True).exists():
        raise Superseded


@transaction.atomic
def _renew(event: ProviderEvent, gone: timedelta, *, until: datetime) -> None:
    """Let a claimed event's lease run on from now.

    While what was looked up is applied the row is locked, and nobody claims it either: that is not waited for.
    """
    mine = ProviderEvent.objects.filter(pk=event.pk, state=EventState.PROCESSING, attempts=event.attempts)
    if mine.select_for_update(skip_locked=True, no_key=True).exists():
        mine.update(next_try_at=until + gone)


def _end(event: ProviderEvent, state: EventState, now: datetime | None, error: str = "") -> None:
    event.state, event.error, event.next_try_at = state, error, None
    event.done_at = now or timezone.now()
    event.save(update_fields=["state", "error", "next_try_at", "done_at"])


@transaction.atomic
def _close(event: ProviderEvent, state: EventState, error: str, now: datetime | None) -> None:
    _own(event)
    _end(event, state, now, error)


def _put_back(event: ProviderEvent, state: EventState, error: str, now: datetime | None) -> None:
    """Let an event be tried again later; after days of that it has failed, and staff may replay it."""
    now = now or timezone.now()
    try:
        if now - event.tried_since > PATIENCE:
            _close(event, EventState.FAILED, error, now)
            log.error("Event %s (%s) has failed: %s", event.event_id, event.type, error)
            return
        with transaction.atomic():
            _own(event)
            event.state, event.error = state, error
            event.next_try_at = now + pause(event.attempts)
            event.save(update_fields=["state", "error", "next_try_at"])
    except Superseded:
        log.warning("Event %s was taken over by another worker", event.event_id)


def pause(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts."""
    return min(FIRST_PAUSE * int(2 ** min(attempts - 1, 30)), LONGEST_PAUSE)


def soonest(within: timedelta, *, now: datetime | None = None) -> datetime | None:
    """Return when the next event is due that nobody processes, if it is within so long."""
    now = now or timezone.now()
    due = ProviderEvent.objects.filter(state__in=[EventState.RECEIVED, EventState.PARKED])
    return (
        due.filter(next_try_at__lte=now + within).order_by("next_try_at").values_list("next_try_at", flat=True).first()
    )


def waiting() -> int:
    """Return how many events are yet to be processed."""
    return ProviderEvent.objects.filter(state__in=WAITING).count()
