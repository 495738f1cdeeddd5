"""Subscriptions as the payment provider keeps them, put into our words; and the invoices that pay for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from django.utils import timezone

from billing import refusals
from billing.models import Checkout, CheckoutStatus, Invoice, Payment, PlanPrice
from billing.providers import stripe
from billing.providers import stripe_objects as told
from billing.services.checkouts import set_status
from billing.services.claims import note_brought
from billing.services.customers import PROVIDER, account_of_customer
from billing.services.inbox import wake
from billing.services.straying import CLOSED, is_closed, note_stray, why_ended
from credits.plan import SYSTEM
from subscriptions.following import Paid, Told
from subscriptions.models import PlanVersion, Status, Subscription
from subscriptions.refusals import AlreadySubscribed
from subscriptions.services.following import follow_provider
from subscriptions.services.rows import terms_of
from subscriptions.services.writing import Cause

BY_PROVIDER = Cause(SYSTEM, "As the payment provider says")
# What the provider's states mean here. One that is incomplete has not begun: its first payment is under way.
STATUSES = {
    "trialing": Status.TRIALING,
    "active": Status.ACTIVE,
    "past_due": Status.PAST_DUE,
    "paused": Status.PAUSED,
    "unpaid": Status.CANCELED,
    "canceled": Status.CANCELED,
    "incomplete_expired": Status.CANCELED,
}


@dataclass(frozen=True, slots=True)
class Facts:
    """A subscription, and all its invoices, the oldest first.

    ``over`` is the one that the account is on here, where that is over there and nobody may have heard of it.
    """

    subscription: told.Subscription
    invoices: tuple[told.Invoice, ...]
    over: Facts | None = None


def look_up_subscription(subscription: str) -> Facts:
    """Ask the provider for a subscription and all its invoices. Raises StripeFailure."""
    client = stripe.client()
    found = client.subscription(subscription)
    return Facts(found, tuple(client.invoices_of(subscription)), _over_of(found))


def _over_of(subscription: told.Subscription) -> Facts | None:
    """Look up the other subscription that an account is on. Returns it where it is over at the provider's."""
    account = account_of_customer(subscription.customer, livemode=subscription.livemode)
    live = Subscription.objects.filter(account=account, provider=PROVIDER).exclude(status=Status.CANCELED)
    other = live.exclude(provider_reference__in=["", subscription.id]).values_list("provider_reference", flat=True)
    if account is None or not other:
        return None
    client = stripe.client()
    found = client.subscription(other[0])
    ended = STATUSES.get(found.status) == Status.CANCELED
    return Facts(found, tuple(client.invoices_of(found.id))) if ended else None


def record_subscription(facts: Facts, *, asked: Cause | None = None) -> Subscription | None:
    """Keep the invoices, and let the account's subscription be what the provider says: plan, status, period, credits.

    ``asked`` is who had it changed there just now, and why. One that the account cannot have, because it has another
    one or is closed, is noted as a stray, to be ended there. Called in a transaction. Raises NotOurs, ParentUnknown
    where no plan is sold at its price yet, and what ``follow_provider`` raises.
    """
    if facts.over is not None:
        record_subscription(facts.over)
    subscription = facts.subscription
    account = _account_of(subscription)
    for invoice in facts.invoices:
        _keep_invoice(account, invoice)
    if subscription.status not in STATUSES:
        return None
    row, why = _follow(facts, account, asked)
    if not why:
        Invoice.objects.filter(subscription_reference=subscription.id, status="paid").update(followed=True)
    _close_checkout(subscription)
    for invoice in facts.invoices:
        _keep_payments(account, invoice)
    note_stray(subscription, account, why)
    return row


def _follow(facts: Facts, account: UUID, asked: Cause | None) -> tuple[Subscription | None, str]:
    """Follow a subscription. Returns the account's, or why nothing here follows it."""
    subscription = facts.subscription
    if why := why_ended(subscription.id):
        return None, why
    try:
        row = follow_provider(
            account=account,
            provider=PROVIDER,
            reference=subscription.id,
            told=replace(told_of(subscription), history=_history(facts)),
            cause=BY_PROVIDER,
            asked=asked,
        )
    except AlreadySubscribed as refused:
        return None, refused.detail
    return row, CLOSED if is_closed(account) else ""


def _account_of(subscription: told.Subscription) -> UUID:
    """Return whose subscription it is: its customer's. Raises NotOurs."""
    account = account_of_customer(subscription.customer, livemode=subscription.livemode)
    if account is None:
        raise refusals.NotOurs("It is no customer's of ours.")
    return account


def told_of(subscription: told.Subscription) -> Told:
    """Return a subscription in our words, with what is known to be paid of it. Raises ParentUnknown."""
    version = version_of_price(subscription.price)
    paid = Invoice.objects.filter(
        subscription_reference=subscription.id, status="paid", period_ends_at__isnull=False
    ).order_by("-period_ends_at")
    last = paid.first()
    return Told(
        status=STATUSES[subscription.status],
        terms=terms_of(version),
        anchor=subscription.anchor,
        period_start=subscription.current_period_start,
        period_end=subscription.current_period_end,
        trial_ends_at=subscription.trial_end,
        ends_with_period=subscription.ending,
        paid_from=last.period_starts_at if last else None,
        paid_until=last.period_ends_at if last else None,
        ended_at=subscription.ended_at,
        next_terms=terms_of(version_of_price(subscription.next_price)) if subscription.next_price else None,
    )


def _history(facts: Facts) -> tuple[Paid, ...]:
    """Return what was paid and not followed yet, in the order in which it was paid. Raises ParentUnknown."""
    reference = facts.subscription.id
    followed = Invoice.objects.filter(subscription_reference=reference, followed=True)
    known = set(followed.values_list("provider_id", flat=True))
    paid = [each for each in facts.invoices if each.status == "paid" and each.paid_at and each.id not in known]
    found = []
    for invoice in sorted(paid, key=lambda each: (each.paid_at, each.created)):
        lines = [line for line in invoice.lines if line.subscription and line.price]
        line = max(lines, key=lambda each: (each.amount, each.period_end), default=None)
        trial = facts.subscription.trial_end
        if line is None or (trial is not None and line.period_end <= trial):
            continue
        terms = terms_of(version_of_price(line.price))
        at = line.period_start if line.proration else max(invoice.paid_at or invoice.created, line.period_start)
        found.append(Paid(at, terms, line.period_start, line.period_end, invoice.id))
    return tuple(found)


def version_of_price(price: str) -> PlanVersion:
    """Return the version of a plan that a price pays for. Raises ParentUnknown."""
    found = PlanPrice.objects.filter(price_reference=price).select_related("plan_version__plan").first()
    if found is None:
        raise refusals.ParentUnknown(f"No plan is sold at {price}: say which, and it is tried again.")
    return found.plan_version


def _keep_invoice(account: UUID, invoice: told.Invoice) -> None:
    lines = [line for line in invoice.lines if not line.proration and line.subscription]
    line = max(lines, key=lambda each: each.period_end, default=None)
    # A change in mid-period asks only for the rest of it.
    changes = [each for each in invoice.lines if each.proration and each.subscription]
    covers = line or max(changes, key=lambda each: (each.amount, each.period_end), default=None)
    facts = {
        "amount_minor": max(invoice.total, 0),
        "status": invoice.status,
        "occurred_at": invoice.created,
        "updated_at": timezone.now(),
        "number": invoice.number,
        "billing_reason": invoice.billing_reason,
        "paid_minor": invoice.amount_paid,
        "period_starts_at": line.period_start if line else None,
        "period_ends_at": line.period_end if line else None,
        "covers_from": covers.period_start if covers else None,
        "covers_until": covers.period_end if covers else None,
        "price_reference": line.price if line else "",
        "hosted_url": invoice.hosted_invoice_url,
    }
    row = Invoice(
        provider_id=invoice.id, account_id=account, livemode=invoice.livemode, currency=invoice.currency.upper(),
        subscription_reference=invoice.subscription, **facts,
    )  # fmt: skip
    # Without a lock first: payments refer to it, and one that has the account may be waiting to.
    Invoice.objects.bulk_create([row], update_conflicts=True, unique_fields=["provider_id"], update_fields=list(facts))


def _keep_payments(account: UUID, invoice: told.Invoice) -> None:
    """Note the payments of an invoice; what became of each is told under its own name, which may have been waiting."""
    row = Invoice.objects.get(provider_id=invoice.id)
    for intent in invoice.payment_intents:
        payment, new = Payment.objects.get_or_create(
            provider_id=intent,
            defaults={
                "account_id": account,
                "invoice": row,
                "amount_minor": invoice.amount_paid,
                "currency": row.currency,
                "status": "succeeded",
                "livemode": invoice.livemode,
                "occurred_at": invoice.paid_at or invoice.created,
                "updated_at": timezone.now(),
            },
        )
        if new:
            note_brought(payment)
            payment.save(update_fields=["movement"])
            wake(intent)


def _close_checkout(subscription: told.Subscription) -> None:
    named = subscription.metadata.get("checkout")
    checkout = Checkout.objects.filter(pk=named).first() if named else None
    if checkout is not None:
        set_status(checkout, CheckoutStatus.PAID)
