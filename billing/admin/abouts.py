"""Whose a webhook is, what it is about, and of how much money it tells: as far as that is known here."""

from __future__ import annotations

from typing import Any

from django.db.models import Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from billing.models import Customer, Dispute, Invoice, Payment, ProviderEvent, Refund
from billing.services.customers import PROVIDER
from credits.admin import show
from credits.amounts import say_money
from credits.models import Account
from subscriptions.models import Subscription

# What the beginning of the provider's id says that it is, in words, and where it is kept here.
KEPT: dict[str, tuple[str, type[Model], str]] = {
    "pi_": ("Payment", Payment, "provider_id"),
    "in_": ("Invoice", Invoice, "provider_id"),
    "re_": ("Refund", Refund, "provider_id"),
    "dp_": ("Dispute", Dispute, "provider_id"),
    "du_": ("Dispute", Dispute, "provider_id"),
    "sub_": ("Subscription", Subscription, "provider_reference"),
}
# Where the provider's objects tell their amount.
AMOUNTS = ("amount", "amount_total", "total")


def with_owner(events: QuerySet[ProviderEvent]) -> QuerySet[ProviderEvent]:
    """Add whose each event is, by its customer or else by what it is about: ``owner_id`` and ``owner_name``."""
    customers = Customer.objects.filter(provider_id=OuterRef("customer")).exclude(provider_id="")
    subscriptions = Subscription.objects.filter(provider=PROVIDER, provider_reference=OuterRef("subject"))
    rows = (
        customers,
        Payment.objects.filter(provider_id=OuterRef("subject")),
        Invoice.objects.filter(provider_id=OuterRef("subject")),
        subscriptions.exclude(provider_reference=""),
    )
    owner = Coalesce(*(Subquery(each.order_by().values("account_id")[:1]) for each in rows))
    name = Account.objects.filter(pk=OuterRef("owner_id")).values("external_id")
    return events.annotate(owner_id=owner).annotate(owner_name=Subquery(name))


def owner_of(row: ProviderEvent) -> SafeString | str:
    """Return a link to whose an event is."""
    owner, name = getattr(row, "owner_id", None), getattr(row, "owner_name", "")
    return show.link(Account, owner, name) if owner else show.EMPTY


def about(row: ProviderEvent) -> SafeString | str:
    """Return links to what an event belongs to, and to the very thing that it tells of."""
    ids = dict.fromkeys(filter(None, (row.subject, str(told_of(row).get("id") or ""))))
    return format_html_join("", "<div>{}</div>", ((_link(each),) for each in ids)) or show.EMPTY


def money_of(row: ProviderEvent) -> str:
    """Return the amount that an event tells of, where it tells one."""
    told = told_of(row)
    minor = next((told[name] for name in AMOUNTS if isinstance(told.get(name), int)), None)
    currency = told.get("currency")
    return say_money(minor, currency) if minor is not None and isinstance(currency, str) else ""


def told_of(row: ProviderEvent) -> dict[str, Any]:
    """Return the object that an event tells of; empty where it tells of none."""
    data = row.payload.get("data") if isinstance(row.payload, dict) else None
    told = data.get("object") if isinstance(data, dict) else None
    return told if isinstance(told, dict) else {}


def _link(provider_id: str) -> SafeString | str:
    word, model, field = KEPT.get(provider_id[: provider_id.find("_") + 1], ("", None, ""))
    if model is None:
        return provider_id
    found = model._default_manager.filter(**{field: provider_id}).first()
    if found is None:
        return f"{word} {provider_id}, not known here"
    return format_html("{} {}", word, show.link(model, found.pk, provider_id))
