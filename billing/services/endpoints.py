"""Webhook endpoints: made, changed, disabled; and the secrets that their webhooks are signed with.

A secret is shown once, to whoever made it. While it is rotated, the old one signs beside the new one.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from standardwebhooks.webhooks import Webhook
from uuid_utils.compat import uuid7

from billing import refusals
from billing.models import DeliveryStatus, EndpointStatus, WebhookDelivery, WebhookEndpoint, WebhookSecret
from billing.providers.addresses import AddressRefused, checked_url
from billing.sealing import seal, unseal
from billing.services.outbox import newest_event
from credits.models import EventType
from credits.refusals import InvalidField

MOST_SECRETS = 5


@transaction.atomic
def make_endpoint(
    *,
    url: str,
    owner: str = "",
    event_types: Sequence[str] = (),
    description: str = "",
    created_by: str = "",
    pk: UUID | None = None,
) -> tuple[WebhookEndpoint, str]:
    """Make an endpoint, which is sent what happens from now on. Returns it with its secret, which nobody sees again.

    ``pk`` is one that was drawn before, so that pressing a button twice makes one. Raises InvalidField for an address
    that may not be sent to, or a type that there is not; IntegrityError where there is one of the ``pk`` already.
    """
    now = timezone.now()
    row = WebhookEndpoint.objects.create(
        id=pk or new_id(),
        owner=owner,
        url=_url(url),
        description=description,
        event_types=_types(event_types),
        after_event=newest_event(),
        next_try_at=now,
        created_by=created_by[:150],
        created_at=now,
        updated_at=now,
    )
    return row, _add_secret(row, now)


@transaction.atomic
def change_endpoint(endpoint: WebhookEndpoint, **changes: Any) -> WebhookEndpoint:
    """Change an endpoint's ``url``, ``event_types`` or ``description``. What waits goes to the new address.

    Raises EndpointDeleted, InvalidField.
    """
    row = _locked(endpoint)
    if "url" in changes:
        row.url = _url(changes["url"])
    if "event_types" in changes:
        row.event_types = _types(changes["event_types"])
    row.description = changes.get("description", row.description)
    row.updated_at = timezone.now()
    row.save(update_fields=["url", "event_types", "description", "updated_at"])
    return row


@transaction.atomic
def disable_endpoint(endpoint: WebhookEndpoint, *, reason: str) -> WebhookEndpoint:
    """Send nothing more to an endpoint. What waits goes on waiting; what happens meanwhile is not sent later."""
    row = _locked(endpoint)
    if row.status == EndpointStatus.ACTIVE:
        _end(row, EndpointStatus.DISABLED, reason)
    return row


@transaction.atomic
def enable_endpoint(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    """Send to an endpoint again: what waits, and what happens from now on. Its failures are forgotten."""
    row = _locked(endpoint)
    if row.status == EndpointStatus.ACTIVE:
        return row
    now = timezone.now()
    row.status, row.status_reason, row.disabled_at = EndpointStatus.ACTIVE, "", None
    row.failures, row.failing_since, row.after_event, row.updated_at = 0, None, newest_event(), now
    if not row.sending:
        row.next_try_at = now
    row.save()
    return row


@transaction.atomic
def delete_endpoint(endpoint: WebhookEndpoint, *, reason: str) -> WebhookEndpoint:
    """Send nothing to an endpoint ever again. What waits has failed; what was sent stays for people to see."""
    row = _locked(endpoint)
    _end(row, EndpointStatus.DELETED, reason)
    WebhookDelivery.objects.filter(endpoint=row, status=DeliveryStatus.PENDING).update(
        status=DeliveryStatus.FAILED, error="The endpoint was deleted.", done_at=row.disabled_at
    )
    WebhookSecret.objects.filter(endpoint=row).delete()
    return row


@transaction.atomic
def rotate_secret(endpoint: WebhookEndpoint, *, overlap: timedelta | None = None) -> tuple[WebhookEndpoint, str]:
    """Give an endpoint a new secret and return it; the one before signs beside it for as long as they overlap.

    Raises EndpointDeleted, TooManySecrets.
    """
    row, now = _locked(endpoint), timezone.now()
    if row.secrets.filter(_signing(now)).count() >= MOST_SECRETS:
        raise refusals.TooManySecrets(f"{MOST_SECRETS} secrets sign already: wait until one has expired.")
    if overlap is None:
        overlap = timedelta(hours=settings.WEBHOOK_OVERLAP_HOURS)
    row.secrets.filter(expires_at=None).update(expires_at=now + overlap)
    return row, _add_secret(row, now)


def signing_secrets(endpoint: WebhookEndpoint, now: datetime) -> list[WebhookSecret]:
    """Return the secrets that sign at a moment, the newest first."""
    return list(endpoint.secrets.filter(_signing(now)).order_by("-id"))


def signed_headers(secrets_: Sequence[WebhookSecret], message_id: str, body: str) -> dict[str, str]:
    """Return the headers of Standard Webhooks, signed now with each of the secrets. Raises sealing.Unreadable."""
    at = datetime.now(UTC)
    signatures = [Webhook(unseal(each.sealed)).sign(message_id, at, body) for each in secrets_]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def new_id() -> UUID:
    """Draw the id of an endpoint that is to be made."""
    drawn: UUID = uuid7()
    return drawn


def known_types() -> list[str]:
    """Return every type of event that an endpoint may ask for."""
    return list(EventType.values)


def purge_secrets(now: datetime) -> int:
    """Delete secrets that sign no more. Returns how many."""
    return WebhookSecret.objects.filter(expires_at__lt=now).delete()[0]


def _signing(now: datetime) -> Q:
    return Q(expires_at=None) | Q(expires_at__gt=now)


def _add_secret(row: WebhookEndpoint, now: datetime) -> str:
    secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
    WebhookSecret.objects.create(endpoint=row, sealed=seal(secret), ending=secret.rstrip("=")[-4:], created_at=now)
    return secret


def _locked(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    row = WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=endpoint.pk)
    if row.status == EndpointStatus.DELETED:
        raise refusals.UnknownEndpoint("There is no such webhook endpoint.")
    return row


def _end(row: WebhookEndpoint, status: EndpointStatus, reason: str) -> None:
    row.status, row.status_reason, row.disabled_at = status, reason[:255], timezone.now()
    row.updated_at = row.disabled_at
    row.save(update_fields=["status", "status_reason", "disabled_at", "updated_at"])


def _url(text: str) -> str:
    try:
        return checked_url(text)
    except AddressRefused as refused:
        raise InvalidField("url", str(refused)) from None


def _types(asked: Sequence[str]) -> list[str]:
    unknown = sorted(set(asked) - set(known_types()))
    if unknown:
        raise InvalidField("event_types", f"There are no events of the type {unknown[0]}.")
    return list(dict.fromkeys(asked))
