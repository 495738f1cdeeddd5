"""What the provider told and we did not hear: its events of the last days, taken in where they are missing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from billing.models import ProviderEvent
from billing.providers import stripe
from billing.providers.stripe_objects import Event
from billing.services.inbox import store_event
from credits.services.runs import Done

LOOK_BACK = timedelta(hours=72)


@dataclass(frozen=True, slots=True)
class Compared:
    """How many events the provider tells, and which of them we had not."""

    told: int
    missing: list[Event]


def compare_events(*, since: datetime) -> Compared:
    """Ask the provider for its events from a moment on. Raises StripeFailure."""
    events = stripe.client().events_since(since)
    ids = [event.id for event in events]
    known = set(ProviderEvent.objects.filter(event_id__in=ids).values_list("event_id", flat=True))
    return Compared(len(events), [event for event in events if event.id not in known])


def take_in_missing(*, since: datetime | None = None) -> Done:
    """Take in the events that did not come: the inbox processes them as if they had. Returns how many."""
    if not settings.STRIPE_SECRET_KEY:
        return Done(0, "No payment provider is configured.")
    compared = compare_events(since=since or timezone.now() - LOOK_BACK)
    taken = sum(store_event(event, source="reconciliation") for event in compared.missing)
    return Done(taken, f"{compared.told} events compared")
