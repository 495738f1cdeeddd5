"""What the one box finds of subscriptions."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Q

from credits.admin import desk, show
from credits.admin.lists import as_uuid
from subscriptions import providers
from subscriptions.models import Subscription


def find(term: str) -> Iterator[desk.Hit]:
    """Find a subscription by its id, or by what its provider calls it."""
    wanted = Q(provider__in=providers.names(), provider_reference=term) & ~Q(provider_reference="")
    if pk := as_uuid(term):
        wanted |= Q(pk=pk)
    for row in Subscription.objects.filter(wanted).select_related("account", "plan_version")[:10]:
        title = f"{row} of {row.account.external_id}"
        yield desk.Hit("Subscriptions", title, show.page_of(Subscription, row.pk), row.provider_reference, exact=True)


desk.register(desk.Finder("subscriptions.view_subscription", find))
