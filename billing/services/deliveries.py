"""Webhooks out: events become deliveries, and deliveries are sent one by one, in order, until they are taken.

A step is a transaction: an endpoint is claimed with the oldest of its pending deliveries, the request is made outside
of any, and what came of it is recorded. Whoever sends is taken to be gone when the lease has run out; the number of the
turn is the fence, so that one who was overtaken records nothing. A delivery that fails keeps its place: those behind it
wait, the longer the more often the endpoint fails, and go on when it was taken or given up.
"""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from billing import sealing
from billing.models import (
    DeliveryStatus,
    EndpointStatus,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookSecret,
)
from billing.providers import receivers
from billing.providers.receivers import Outcome
from billing.services.endpoints import signed_headers, signing_secrets
from credits.services.runs import Done

log = logging.getLogger(__name__)

# How long after a failure the next try is: doubled each time, up to the longest, and give or take a fifth, so that
# endpoints that failed together do not come back together.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(hours=1)
SPREAD = 0.2
# What whoever sends has beyond the time of the request itself.
MARGIN = timedelta(seconds=45)


class Superseded(Exception):
    """Another worker sends to the endpoint by now: this one was away for longer than its lease."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Somebody's right to send to an endpoint, and what is sent."""

    endpoint: WebhookEndpoint
    delivery: WebhookDelivery
    secrets: list[WebhookSecret]


def send_due(*, now: datetime | None = None, most: int = 10_000, seconds: float = 50.0) -> Done:
    """Send what is due, endpoint by endpoint. Returns how many requests were made. Several may do so at once."""
    until, done = time.monotonic() + seconds, 0
    while done < most and time.monotonic() < until and (turn := claim(now=now)) is not None:
        attempt(turn, now=now)
        done += 1
    return Done(done)


@transaction.atomic
def claim(*, now: datetime | None = None) -> Turn | None:
    """Take an endpoint that is due and that nobody else has, with the next of its deliveries."""
    now = now or timezone.now()
    due = _with_something_pending().filter(next_try_at__lte=now).order_by("next_try_at", "id")
    due = due.select_for_update(skip_locked=True, no_key=True)
    pending = WebhookDelivery.objects.filter(status=DeliveryStatus.PENDING).order_by("id")
    while (endpoint := due.first()) is not None:
        delivery = pending.filter(endpoint=endpoint).first()
        if delivery is not None:
            break
        # Somebody has just sent the last of it.
    else:
        return None
    endpoint.turn, endpoint.sending, endpoint.next_try_at = endpoint.turn + 1, True, now + lease()
    endpoint.save(update_fields=["turn", "sending", "next_try_at"])
    delivery.attempts, delivery.last_try_at = delivery.attempts + 1, now
    delivery.save(update_fields=["attempts", "last_try_at"])
    return Turn(endpoint, delivery, signing_secrets(endpoint, now))


def attempt(turn: Turn, *, now: datetime | None = None) -> None:
    """Make the request of a turn, and record what came of it."""
    outcome = request(turn.endpoint, turn.delivery, turn.secrets)
    try:
        record(turn, outcome, now=now)
    except Superseded:
        log.warning("Webhook endpoint %s was taken over by another worker", turn.endpoint.pk)


def request(endpoint: WebhookEndpoint, delivery: WebhookDelivery, secrets: list[WebhookSecret]) -> Outcome:
    """Make one request, signed now, and return what came of it."""
    try:
        headers = signed_headers(secrets, delivery.message_id, delivery.body)
    except sealing.Unreadable as error:
        log.error("Webhook endpoint %s: %s", endpoint.pk, error)  # noqa: TRY400  # whose frames hold the box
        return Outcome(error=str(error))
    try:
        return receivers.send(endpoint.url, delivery.body.encode(), headers)
    except ValueError as error:
        # Something about this one that nobody thought of must not keep the others from being sent.
        log.exception("Webhook endpoint %s could not be asked", endpoint.pk)
        return Outcome(error=f"No answer: {type(error).__name__}.")


@transaction.atomic
def record(turn: Turn, outcome: Outcome, *, now: datetime | None = None) -> None:
    """Write down what came of a turn, and what follows from it. Raises Superseded, having changed nothing."""
    now = now or timezone.now()
    endpoint = WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=turn.endpoint.pk)
    if endpoint.turn != turn.endpoint.turn:
        raise Superseded
    delivery = WebhookDelivery.objects.get(pk=turn.delivery.pk)
    note(delivery, outcome, now)
    endpoint.sending = False
    if outcome.delivered:
        _close(delivery, DeliveryStatus.DELIVERED, now)
        endpoint.failures, endpoint.failing_since = 0, None
        endpoint.last_success_at = endpoint.next_try_at = now
    else:
        _failed(endpoint, delivery, outcome, now)
    delivery.save()
    endpoint.save()


def note(delivery: WebhookDelivery, outcome: Outcome, now: datetime) -> None:
    """Keep a try, and put what came of it into the delivery, which is not saved."""
    told = {
        "answer": outcome.status or None,
        "error": outcome.error[:255],
        "excerpt": outcome.excerpt,
        "milliseconds": outcome.milliseconds,
    }
    WebhookAttempt.objects.create(delivery=delivery, number=delivery.attempts, at=now, **told)
    for name, value in told.items():
        setattr(delivery, name, value)


def soonest(within: float, *, now: datetime | None = None) -> float | None:
    """Return in how many seconds something is due that nobody sends yet, if it is within so many."""
    now = now or timezone.now()
    waiting = _with_something_pending().filter(sending=False, next_try_at__lte=now + timedelta(seconds=within))
    moment = waiting.order_by("next_try_at").values_list("next_try_at", flat=True).first()
    return None if moment is None else max((moment - now).total_seconds(), 0.0)


def lease() -> timedelta:
    """Return how long one turn may take: longer than its request can."""
    return timedelta(seconds=settings.WEBHOOK_TIMEOUT_SECONDS) + MARGIN


def pause(failures: int, retry_after: float = 0.0) -> timedelta:
    """Return how long to leave an endpoint alone after so many failures in a row."""
    usual = min(FIRST_PAUSE * int(2 ** min(failures - 1, 30)), LONGEST_PAUSE)
    spread = usual * random.uniform(1 - SPREAD, 1 + SPREAD)  # noqa: S311  # no secret
    return max(spread, min(timedelta(seconds=retry_after), LONGEST_PAUSE))


def tried_until(now: datetime) -> datetime:
    """Return until when a delivery that begins now is tried."""
    return now + timedelta(hours=settings.WEBHOOK_TRIED_HOURS)


def _with_something_pending() -> QuerySet[WebhookEndpoint]:
    pending = WebhookDelivery.objects.filter(endpoint=OuterRef("pk"), status=DeliveryStatus.PENDING)
    return WebhookEndpoint.objects.filter(Exists(pending), status=EndpointStatus.ACTIVE)


def _failed(endpoint: WebhookEndpoint, delivery: WebhookDelivery, outcome: Outcome, now: datetime) -> None:
    """Wait, give the delivery up, or disable the endpoint."""
    endpoint.failures += 1
    endpoint.failing_since = endpoint.failing_since or now
    endpoint.next_try_at = now + pause(endpoint.failures, outcome.retry_after)
    if outcome.gone or now >= delivery.tried_until:
        _close(delivery, DeliveryStatus.FAILED, now)
    longest = timedelta(hours=settings.WEBHOOK_DISABLED_AFTER_HOURS)
    if outcome.gone:
        _disable(endpoint, "It answered 410: it wants no more.", now)
    elif now - endpoint.failing_since >= longest:
        _disable(endpoint, f"It failed for {settings.WEBHOOK_DISABLED_AFTER_HOURS} hours: {outcome.error}", now)


def _close(delivery: WebhookDelivery, status: DeliveryStatus, now: datetime) -> None:
    # One that somebody gave up meanwhile, or whose endpoint was deleted, may have been taken all the same.
    delivery.status, delivery.done_at = status, now


def _disable(endpoint: WebhookEndpoint, reason: str, now: datetime) -> None:
    if endpoint.status != EndpointStatus.ACTIVE:
        return
    endpoint.status, endpoint.status_reason, endpoint.disabled_at = EndpointStatus.DISABLED, reason[:255], now
    endpoint.updated_at = now
    # The alarm: the front page of the admin counts it, and the metrics.
    log.error("Webhook endpoint %s (%s) is disabled: %s", endpoint.pk, endpoint.url, reason)
