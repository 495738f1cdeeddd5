"""What the front page tells of subscriptions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Count
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from credits.admin.desk import Board, Tile, register
from subscriptions.models import LIVE, Status, Subscription

DAYS = 30


def subscribed(request: HttpRequest) -> Iterator[Tile]:
    """Tell how many are on which plan, are past due, or went in thirty days."""
    address = reverse("admin:subscriptions_subscription_changelist")
    live = Subscription.objects.filter(status__in=LIVE)
    for plan, name, count in (
        live.order_by("plan_version__plan__rank")
        .values_list("plan_version__plan", "plan_version__plan__name")
        .annotate(count=Count("pk"))
    ):
        yield Tile(f"On {name}", f"{count:,}", f"{address}?live=yes&plan_version__plan__code__exact={plan}")
    due = live.filter(status=Status.PAST_DUE).count()
    yield Tile("Past due", f"{due:,}", f"{address}?status__exact={Status.PAST_DUE}", "not paid", alarm=bool(due))
    # Days begin at midnight, there and in the list.
    since = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS - 1)
    link = f"{address}?status__exact={Status.CANCELED}&ended_at_from={since:%Y-%m-%d}"
    gone = Subscription.objects.filter(status=Status.CANCELED, ended_at__gte=since).count()
    yield Tile(f"Ended in {DAYS} days", f"{gone:,}", link, "churned")


register(Board("Subscriptions", "subscriptions.view_subscription", subscribed, place=30))
