"""What an account's page shows of its payments, and of the webhooks about its customer."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.http import HttpRequest

from billing.admin import verdicts
from billing.admin.dashboard import address
from billing.admin.payments import badge_of, paid_for
from billing.models import Customer, Payment, ProviderEvent
from billing.services.customers import PROVIDER
from credits.admin import desk, show
from credits.amounts import say_money
from credits.models import Account
from subscriptions.models import Subscription

MOST_PAYMENTS = 6
MOST_EVENTS = 6


def context(request: HttpRequest, account: Account) -> dict[str, Any]:
    """Return the latest payments and webhooks, in three queries."""
    customer = customer_row(account)
    rows = Payment.objects.filter(account=account.pk).select_related("checkout__pack", "invoice")
    payments = list(rows.order_by("-occurred_at", "-id")[:MOST_PAYMENTS])
    references = Subscription.objects.filter(account=account.pk, provider=PROVIDER).values("provider_reference")
    # Refunds and disputes name a payment and no customer.
    about = Q(subject__in=[row.provider_id for row in payments]) | Q(subject__in=references)
    if customer is not None:
        about |= Q(customer=customer.provider_id)
    events = ProviderEvent.objects.filter(about, ~Q(subject="")).defer("payload")
    return {
        "customer": customer.provider_id if customer else "",
        "dashboard": dashboard(customer),
        "away": [("Open in Stripe", "open_in_new", dashboard(customer))] if customer else [],
        "payments": [_payment(row) for row in payments],
        "events": [_event(row) for row in events.order_by("-id")[:MOST_EVENTS]] if customer or payments else [],
    }


def customer_row(account: Account) -> Customer | None:
    """Return what the provider knows an account as, live before test."""
    known = Customer.objects.filter(account=account.pk, deleted=False).exclude(provider_id="")
    return known.order_by("-livemode").first()


def dashboard(customer: Customer | None) -> str:
    """Return where the provider's own pages show a customer."""
    if customer is None:
        return ""
    return address("customers", customer.provider_id, livemode=customer.livemode)


def _payment(row: Payment) -> dict[str, Any]:
    gone = row.refunded_minor + row.disputed_minor
    return {
        "link": show.link_at(Payment, row.pk, row.occurred_at),
        "state": badge_of(row),
        "paid": say_money(row.amount_minor, row.currency),
        "pk": row.pk,
        "back": say_money(gone, row.currency) if gone else "",
        "refundable": row.status == "succeeded" and not row.under_dispute and gone < row.amount_minor,
        "what": paid_for(row),
        "why": row.uncredited,
    }


def _event(row: ProviderEvent) -> dict[str, Any]:
    return {
        "link": show.link_at(ProviderEvent, row.pk, row.received_at),
        "type": row.type,
        "error": verdicts.reason(row)[:120],
        "state": verdicts.badge_of(row),
    }


desk.register(desk.Section("payments", "billing.view_payment", "admin/billing/of_account.html", context, place=20))
