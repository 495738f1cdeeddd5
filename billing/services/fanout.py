"""From the outbox to deliveries: one for each event and each endpoint that wants it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence

from django.utils import timezone

from billing.models import EndpointStatus, WebhookDelivery, WebhookEndpoint
from billing.services import outbox
from billing.services.deliveries import tried_until
from billing.services.outbox import Told
from credits.services.runs import Done


def fan_out() -> Done:
    """Make a delivery of each new event for each endpoint that wants it. Returns how many events were read."""
    return Done(outbox.read_on(outbox.WEBHOOKS, _deliver))


def body_of(message_id: str, event: Told) -> str:
    """Return what is sent, with every digit as the books have it."""
    head = {"id": message_id, "type": event.type, "version": event.version, "timestamp": event.recorded_at.isoformat()}
    return f'{json.dumps(head)[:-1]}, "data": {event.payload}}}'


def _deliver(events: Sequence[Told]) -> None:
    now = timezone.now()
    wanting = _wanting()
    if not wanting:
        return
    rows = [
        _delivery(event, endpoint)
        for event in events
        for owner in dict.fromkeys(("", event.owner))
        for endpoint in wanting[owner]
        if event.id > endpoint.after_event and (not endpoint.event_types or event.type in endpoint.event_types)
    ]
    for row in rows:
        row.created_at, row.tried_until = now, tried_until(now)
    # In the order of events: a delivery's id is its place. One that is there already is not made again.
    WebhookDelivery.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1000)


def _wanting() -> defaultdict[str, list[WebhookEndpoint]]:
    """Return the endpoints that are sent to, by whose events they are sent."""
    found: defaultdict[str, list[WebhookEndpoint]] = defaultdict(list)
    active = WebhookEndpoint.objects.filter(status=EndpointStatus.ACTIVE).order_by("pk")
    for endpoint in active.only("pk", "owner", "after_event", "event_types"):
        found[endpoint.owner].append(endpoint)
    return found


def _delivery(event: Told, endpoint: WebhookEndpoint) -> WebhookDelivery:
    message_id = f"evt_{event.id}"
    return WebhookDelivery(
        endpoint=endpoint,
        event_id=event.id,
        message_id=message_id,
        type=event.type,
        body=body_of(message_id, event),
        occurred_at=event.recorded_at,
    )
