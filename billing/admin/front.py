"""What the front page tells of what the payment provider told."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import HttpRequest
from django.urls import reverse

from billing.models import Difference, EventState, ProviderEvent, StraySubscription
from billing.models.strays import StrayState
from billing.queries import retried_events, uncredited_payments
from credits.admin.desk import Board, Tile, register
from credits.admin.show import many
from credits.amounts import say_money
from credits.services.overview import overview

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
    """Tell how many webhooks failed, are tried again, or wait for what has not come."""
    address = reverse("admin:billing_providerevent_changelist")
    for link, label, rows in (
        (f"state__exact={EventState.FAILED}", "Failed webhooks", ProviderEvent.objects.filter(state=EventState.FAILED)),
        ("again=yes", "Webhooks tried again", retried_events()),
        (f"state__exact={EventState.PARKED}", "Parked webhooks", ProviderEvent.objects.filter(state=EventState.PARKED)),
    ):
        count = rows.order_by()[: MOST + 1].count()
        text = f"{MOST:,}+" if count > MOST else f"{count:,}"
        yield Tile(label, text, f"{address}?{link}", "", alarm=bool(count))


def differences(request: HttpRequest) -> Iterator[Tile]:
    """Tell where the provider disagrees."""
    count = Difference.objects.filter(resolved_at=None).count()
    found = f"{reverse('admin:billing_difference_changelist')}?state=open"
    yield Tile("Differences from Stripe", f"{count:,}", found, "", alarm=bool(count))


def ahead(request: HttpRequest) -> Iterator[Tile]:
    """Tell what subscriptions have paid for time that is yet to come."""
    for currency, minor, count in overview().figures.get("ahead", []):
        link = f"{reverse('admin:billing_payment_changelist')}?ahead={currency}"
        yield Tile(
            "Subscriptions paid ahead", say_money(minor, currency), link, f"for days to come, {many(count, 'payment')}"
        )


register(Board("Work waiting", "billing.view_payment", payments, place=6))
register(Board("Work waiting", "billing.view_straysubscription", strays, place=6))
register(Board("Work waiting", "billing.view_providerevent", webhooks, place=5))
register(Board("Work waiting", "billing.view_difference", differences, place=6))
register(Board("Outstanding credits", "billing.view_payment", ahead, place=11))
