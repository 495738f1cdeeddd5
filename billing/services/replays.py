"""Webhooks by hand: sent again, given up, and a test that tells at once whether an endpoint is reached."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from uuid_utils.compat import uuid7

from billing import refusals
from billing.models import DeliveryStatus, EndpointStatus, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from billing.services.deliveries import note, request, tried_until
from billing.services.endpoints import purge_secrets, signing_secrets
from credits.services.once import Once, keep
from credits.services.slices import delete_older

PING = "evt.webhooks.ping"


@transaction.atomic
def replay_delivery(delivery: WebhookDelivery, *, now: datetime | None = None) -> bool:
    """Let a delivery be sent again, whatever became of it, before those behind it. False for one that waits anyway."""
    now = now or timezone.now()
    endpoint = _locked(delivery.endpoint)
    row = WebhookDelivery.objects.get(pk=delivery.pk)
    if row.status == DeliveryStatus.PENDING:
        return False
    row.status, row.done_at, row.tried_until = DeliveryStatus.PENDING, None, tried_until(now)
    row.save(update_fields=["status", "done_at", "tried_until"])
    _soon(endpoint, now)
    return True


@transaction.atomic
def replay_failed(endpoint: WebhookEndpoint, *, since: datetime | None = None, now: datetime | None = None) -> int:
    """Let everything that failed at an endpoint, since a moment, be sent again in order. Returns how many there are."""
    now = now or timezone.now()
    row = _locked(endpoint)
    failed = WebhookDelivery.objects.filter(endpoint=row, status=DeliveryStatus.FAILED, event__isnull=False)
    if since is not None:
        failed = failed.filter(occurred_at__gte=since)
    count = failed.update(status=DeliveryStatus.PENDING, done_at=None, tried_until=tried_until(now))
    if count:
        _soon(row, now)
    return count


@transaction.atomic
def give_up_delivery(delivery: WebhookDelivery, *, now: datetime | None = None) -> bool:
    """Let a delivery have failed, so that those behind it go on. False for one that does not wait."""
    now = now or timezone.now()
    endpoint = _locked(delivery.endpoint)
    row = WebhookDelivery.objects.get(pk=delivery.pk)
    if row.status != DeliveryStatus.PENDING:
        return False
    row.status, row.done_at = DeliveryStatus.FAILED, now
    row.save(update_fields=["status", "done_at"])
    _soon(endpoint, now)
    return True


def ping_endpoint(endpoint: WebhookEndpoint, *, once: Once | None = None) -> WebhookDelivery:
    """Send an event that means nothing, now, past all that waits, and return what came of it. It is not tried again.

    Never called inside a transaction. Raises UnknownEndpoint, Replay.
    """
    if once is not None:
        once.check(once.find())
    if endpoint.status == EndpointStatus.DELETED:
        raise refusals.UnknownEndpoint("There is no such webhook endpoint.")
    now = timezone.now()
    message_id = f"ping_{uuid7().hex}"
    head = {"id": message_id, "type": PING, "version": 1, "timestamp": now.isoformat()}
    row = WebhookDelivery(
        endpoint=endpoint,
        message_id=message_id,
        type=PING,
        body=json.dumps({**head, "data": {"endpoint": str(endpoint.pk), "message": "It works."}}),
        attempts=1,
        occurred_at=now,
        created_at=now,
        tried_until=now,
        last_try_at=now,
    )
    outcome = request(endpoint, row, signing_secrets(endpoint, now))
    row.status = DeliveryStatus.DELIVERED if outcome.delivered else DeliveryStatus.FAILED
    row.done_at = timezone.now()

    def kept() -> WebhookDelivery:
        row.save()
        note(row, outcome, now)
        row.save()
        return row

    return keep(once=once, act=kept)


def purge_deliveries(*, now: datetime | None = None) -> int:
    """Delete deliveries that have ended and are older than WEBHOOK_LOG_DAYS, and secrets that sign no more."""
    now = now or timezone.now()
    purge_secrets(now)
    than = now - timedelta(days=settings.WEBHOOK_LOG_DAYS)
    # A try is never later than the end of its delivery.
    delete_older(WebhookAttempt, "at", than)
    return delete_older(WebhookDelivery, "done_at", than)


def _locked(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    row = WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=endpoint.pk)
    if row.status == EndpointStatus.DELETED:
        raise refusals.UnknownEndpoint("There is no such webhook endpoint.")
    return row


def _soon(endpoint: WebhookEndpoint, now: datetime) -> None:
    """Let an endpoint be tried at once, unless somebody sends to it just now: then it goes on by itself."""
    if not endpoint.sending:
        endpoint.next_try_at = now
        endpoint.save(update_fields=["next_try_at"])
