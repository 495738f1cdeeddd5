"""What the front page tells of what the payment provider told."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import HttpRequest
from django.urls import reverse

from billing.models import Difference, EventState, ProviderEvent, StraySubscription
from billing.models.strays import StrayState
from billing.queries import retried_events, uncredited_payments
from credits.admin.desk import Board, Tile, register

MOST = 10_000


def payments(request: HttpRequest) -> Iterator[Tile]:
    """Tell how many payments came in and brought nothing: they are to be given back."""
    count = uncredited_payments().order_by()[: MOST + 1].count()
    address = f"{reverse('admin:billing_payment_changelist')}?waits=yes"
    yield Tile("Payments that brought nothing", f"{count:,}", address, "", alarm=bool(count))


def strays(request: HttpRequest) -> Iterator[Tile]:
    """Tell how many subscriptions at the provider's are yet to be ended there."""
    count = StraySubscription.objects.filter(state=StrayState.OPEN).count()
    address = f"{reverse('admin:billing_straysubscription_changelist')}?state__exact=open"
    yield Tile("Subscriptions to be ended at Stripe", f"{count:,}", address, "", alarm=bool(count))


def webhooks(request: HttpRequest) -> Iterator[Tile]:
    """Tell how many webhooks failed, are tried again or wait, and where the provider disagrees."""
    address = reverse("admin:billing_providerevent_changelist")
    for state, label, rows in (
        (EventState.FAILED, "Failed webhooks", ProviderEvent.objects.filter(state=EventState.FAILED)),
        (EventState.RECEIVED, "Webhooks tried again", retried_events()),
        (EventState.PARKED, "Parked webhooks", ProviderEvent.objects.filter(state=EventState.PARKED)),
    ):
        count = rows.order_by()[: MOST + 1].count()
        text = f"{MOST:,}+" if count > MOST else f"{count:,}"
        yield Tile(label, text, f"{address}?state__exact={state}", "", alarm=bool(count))

    count = Difference.objects.filter(resolved_at=None).count()
    found = f"{reverse('admin:billing_difference_changelist')}?state=open"
    yield Tile("Differences from Stripe", f"{count:,}", found, "", alarm=bool(count))


register(Board("Work waiting", "billing.view_payment", payments, place=6))
register(Board("Work waiting", "billing.view_straysubscription", strays, place=6))
register(Board("Work waiting", "billing.view_providerevent", webhooks, place=5))
