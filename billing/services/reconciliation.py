"""What the provider told and we did not hear, and what it has otherwise than we: taken in, listed, repaired.

Repairing is looking up anew and applying, by the very services that webhooks go through: there is no second way in
which money or a plan could change.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DataError, transaction
from django.utils import timezone

from billing import refusals
from billing.models import Difference, DifferenceKind, ProviderEvent, StraySubscription
from billing.models.strays import StrayState
from billing.providers import stripe
from billing.providers.stripe_objects import Event, Unreadable
from billing.services import comparison, payments, tiers
from billing.services.comparison import Found
from billing.services.inbox import store_event
from billing.services.strays import end_stray
from credits.refusals import Refusal
from credits.services.runs import Done, said

log = logging.getLogger(__name__)

LOOK_BACK = timedelta(hours=72)


@dataclass(frozen=True, slots=True)
class Compared:
    """How many events the provider tells, which of them we had not, and which nobody can read."""

    told: int
    missing: list[Event]
    unreadable: list[Unreadable]


def compare_events(*, since: datetime) -> Compared:
    """Ask the provider for its events from a moment on. Raises StripeFailure."""
    told = stripe.client().events_since(since)
    ids = [event.id for event in told.readable]
    known = set(ProviderEvent.objects.filter(event_id__in=ids).values_list("event_id", flat=True))
    missing = [event for event in told.readable if event.id not in known]
    return Compared(len(ids) + len(told.unreadable), missing, told.unreadable)


def take_in_missing(*, since: datetime | None = None) -> Done:
    """Take in the events that did not come: the inbox processes them as if they had. Returns how many.

    What cannot be taken in keeps nothing else out. It is a difference.
    """
    if not settings.STRIPE_SECRET_KEY:
        return Done(0, "No payment provider is configured.")
    compared = compare_events(since=since or timezone.now() - LOOK_BACK)
    taken, left = 0, list(compared.unreadable)
    for event in compared.missing:
        try:
            taken += store_event(event, source="reconciliation")
        except DataError as error:
            left.append(Unreadable(event.id, said(error)))
    for unreadable in left:
        log.error("Event %s of the payment provider cannot be taken in: %s", unreadable.id, unreadable.why)
        with transaction.atomic():
            _keep(comparison.unreadable(unreadable), timezone.now())
    return Done(taken, f"{compared.told} events compared, {len(left)} cannot be taken in")


def list_differences(*, since: datetime | None = None, now: datetime | None = None) -> Done:
    """Compare with the provider and keep what differs; what agrees again is resolved. Returns how many are open.

    Raises StripeFailure.
    """
    if not settings.STRIPE_SECRET_KEY:
        return Done(0, "No payment provider is configured.")
    now = now or timezone.now()
    found = comparison.compare(since=since or now - LOOK_BACK)
    with transaction.atomic():
        for difference in found:
            _keep(difference, now)
    # What was not seen this time may have passed, or may be older than what was compared: it is looked at by itself.
    for row in Difference.objects.filter(resolved_at=None, last_seen_at__lt=now):
        with suppress(Refusal):
            left = comparison.compare_one(DifferenceKind(row.kind), row.about)
            if (row.subject, row.field) not in {(each.subject, each.field) for each in left}:
                _resolve(row, now, by="")
    return Done(Difference.objects.filter(resolved_at=None).count(), f"{len(found)} differences seen")


def repair(row: Difference, *, by: str, now: datetime | None = None) -> bool:
    """Look up anew what a difference is about, apply it, and compare again. Returns whether both agree now.

    What stands in the way is kept with the difference. Must not be called in a transaction.
    """
    now = now or timezone.now()
    try:
        _apply(row)
        left = comparison.compare_one(DifferenceKind(row.kind), row.about)
    except (Refusal, refusals.NotOurs, refusals.ParentUnknown, DataError) as obstacle:
        row.failure = said(obstacle)
        row.save(update_fields=["failure"])
        return False
    with transaction.atomic():
        for difference in left:
            _keep(difference, now)
        still = {(each.subject, each.field) for each in left}
        for other in Difference.objects.filter(resolved_at=None, about=row.about):
            if (other.subject, other.field) not in still:
                _resolve(other, now, by=by)
    row.refresh_from_db()
    if row.resolved_at is None:
        row.failure = "It was looked up and applied, and still differs: compare both sides by hand."
        row.save(update_fields=["failure"])
    return row.resolved_at is not None


def _apply(row: Difference) -> None:
    if row.kind == DifferenceKind.SUBSCRIPTION:
        subscribed = tiers.look_up_subscription(row.about)
        with transaction.atomic():
            tiers.record_subscription(subscribed)
        for stray in StraySubscription.objects.filter(provider_id=row.about, state=StrayState.OPEN):
            end_stray(stray)
        return
    client = stripe.client()
    if row.kind == DifferenceKind.EVENT:
        store_event(client.event(row.about), source="reconciliation")
        return
    facts = payments.look_up_payment(row.about)
    invoice = client.invoice_of(row.about)
    named = client.invoice(invoice).subscription if invoice else ""
    paid = tiers.look_up_subscription(named) if named else None
    with transaction.atomic():
        if paid is not None:
            tiers.record_subscription(paid)
        payments.record_payment(facts)


def _keep(found: Found, now: datetime) -> None:
    Difference.objects.update_or_create(
        subject=found.subject,
        field=found.field,
        resolved_at=None,
        defaults={"ours": found.ours, "theirs": found.theirs, "last_seen_at": now},
        create_defaults={
            "kind": found.kind,
            "about": found.about,
            "ours": found.ours,
            "theirs": found.theirs,
            "first_seen_at": now,
            "last_seen_at": now,
        },
    )


def _resolve(row: Difference, now: datetime, *, by: str) -> None:
    row.resolved_at, row.resolved_by, row.failure = now, by, ""
    row.save(update_fields=["resolved_at", "resolved_by", "failure"])
