"""What the one box finds of payments, of what the provider told, and of what was sent."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from django.db.models import Q

from billing.admin import words
from billing.models import (
    Checkout,
    Customer,
    Dispute,
    Invoice,
    Payment,
    ProviderEvent,
    Refund,
    WebhookDelivery,
    WebhookEndpoint,
)
from credits.admin import desk, show
from credits.admin.lists import as_uuid
from credits.amounts import say_money
from credits.models import Account

MOST = 10


def customers(term: str) -> Iterator[desk.Hit]:
    """Find an account by the provider's customer, or by a page to pay on."""
    rows: list[tuple[str, str, UUID]] = [
        ("Customers", row.provider_id, row.account_id)
        for row in Customer.objects.filter(~Q(provider_id=""), provider_id=term)
    ]
    checkout = Q(provider_id=term) & ~Q(provider_id="")
    if pk := as_uuid(term):
        checkout |= Q(pk=pk)
    rows += [("Checkouts", str(row), row.account_id) for row in Checkout.objects.filter(checkout)]
    names = Account.objects.in_bulk([account for _, _, account in rows])
    for kind, title, account in rows:
        yield desk.Hit(kind, title, show.page_of(Account, account), names[account].external_id, exact=True)


def invoices(term: str) -> Iterator[desk.Hit]:
    """Find an invoice by its id or number."""
    for named in (Q(provider_id=term), Q(number=term) & ~Q(number="")):
        for row in Invoice.objects.filter(named).select_related("account")[:MOST]:
            note = _note(row)
            yield desk.Hit("Invoices", row.number or row.provider_id, show.page_of(Invoice, row.pk), note, exact=True)


def payments(term: str) -> Iterator[desk.Hit]:
    """Find a payment by its id, or that of its charge, a refund or a dispute."""
    wanted = set(Payment.objects.filter(provider_id=term).values_list("pk", flat=True))
    charged = Payment.objects.filter(~Q(charge_reference=""), charge_reference=term)
    wanted |= set(charged.values_list("pk", flat=True)[:MOST])
    for model in (Refund, Dispute):
        wanted |= set(model.objects.filter(provider_id=term).values_list("payment_id", flat=True))
    for row in Payment.objects.filter(pk__in=wanted).select_related("account"):
        note = _note(row)
        yield desk.Hit("Payments", row.provider_id, show.page_of(Payment, row.pk), note, exact=True)


def events(term: str) -> Iterator[desk.Hit]:
    """Find a webhook by its id, or those about something."""
    for row in ProviderEvent.objects.filter(event_id=term).defer("payload"):
        link = show.page_of(ProviderEvent, row.pk)
        yield desk.Hit("Webhook inbox", row.event_id, link, f"{row.type}, {row.get_state_display()}", exact=True)
    for row in ProviderEvent.objects.filter(~Q(subject=""), subject=term).defer("payload").order_by("-id")[:MOST]:
        link = show.page_of(ProviderEvent, row.pk)
        yield desk.Hit("Webhook inbox", row.event_id, link, f"{row.type}, {row.get_state_display()}")


def deliveries(term: str) -> Iterator[desk.Hit]:
    """Find what was sent to webhook endpoints under an id, and the endpoints of an owner."""
    for sent in WebhookDelivery.objects.filter(message_id=term).select_related("endpoint").order_by("-id")[:MOST]:
        note = f"{sent.get_status_display()}, to {sent.endpoint}"
        yield desk.Hit("Webhook deliveries", str(sent), show.page_of(WebhookDelivery, sent.pk), note, exact=True)
    for row in WebhookEndpoint.objects.filter(~Q(owner=""), owner=term).order_by("-id")[:MOST]:
        yield desk.Hit("Webhook endpoints", row.url, show.page_of(WebhookEndpoint, row.pk), row.get_status_display())


def _note(row: Invoice | Payment) -> str:
    paid = say_money(row.amount_minor, row.currency)
    return f"{paid} of {row.account.external_id}, {words.said(row.status).lower()}"


desk.register(
    desk.Finder("billing.view_payment", customers),
    desk.Finder("billing.view_invoice", invoices),
    desk.Finder("billing.view_payment", payments),
    desk.Finder("billing.view_providerevent", events),
    desk.Finder("billing.view_webhookdelivery", deliveries),
)
