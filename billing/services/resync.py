"""An account's state at the payment provider, looked up anew: its subscriptions, its pages to pay on, its payments."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from billing import refusals
from billing.models import Checkout, CheckoutStatus, Customer, Payment
from billing.providers import stripe
from billing.services import checkouts, customers, payments, tiers
from billing.services.customers import PROVIDER
from subscriptions.models import Subscription

MOST_PAYMENTS = 10
# Pages that were opened and of which nobody told an end.
MOST_PAGES = 5
UNDECIDED = (CheckoutStatus.OPEN, CheckoutStatus.PENDING)


def resync_account(account: UUID) -> str:
    """Ask the provider about a customer, its subscriptions and latest payments, and apply what it says.

    Told like webhooks, so that what applies already changes nothing. Called outside of transactions. Returns in words
    what was asked about. Raises NotOurs where the provider does not know the account, StripeFailure.
    """
    known = Customer.objects.filter(account=account, deleted=False).exclude(provider_id="")
    customer = known.order_by("-livemode").first()
    if customer is None:
        raise refusals.NotOurs("The payment provider does not know this account.")
    client = stripe.client()
    told = client.customer(customer.provider_id)
    there = {each.id for each in client.subscriptions_of(customer.provider_id)}
    ours = Subscription.objects.filter(account=account, provider=PROVIDER).exclude(provider_reference="")
    there |= set(ours.order_by("-id").values_list("provider_reference", flat=True)[:5])
    pages = undecided_pages(account).filter(livemode=client.livemode).order_by("-created_at")
    sessions = [client.checkout_session(each) for each in pages.values_list("provider_id", flat=True)[:MOST_PAGES]]
    there |= {each.subscription for each in sessions if each.subscription}
    facts = [tiers.look_up_subscription(each) for each in sorted(there)]
    latest = Payment.objects.filter(account=account, checkout__isnull=False).order_by("-occurred_at")
    intents = {each.payment_intent for each in sessions if each.payment_intent}
    intents |= set(latest.values_list("provider_id", flat=True)[:MOST_PAYMENTS])
    paid = [payments.look_up_payment(each) for each in sorted(intents)]
    with transaction.atomic():
        customers.update_customer(told)
        for session in sessions:
            checkouts.update_checkout(session)
        for subscription in facts:
            tiers.record_subscription(subscription)
        for payment in paid:
            payments.record_payment(payment)
    return f"{len(facts)} subscriptions and {len(paid)} payments"


def undecided_pages(account: UUID) -> QuerySet[Checkout]:
    """Return the pages to pay on that were opened for an account and of which nobody told an end."""
    return Checkout.objects.filter(account=account, status__in=UNDECIDED).exclude(provider_id="")
