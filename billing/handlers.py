"""What each kind of event is about. It says what to look at: the object is asked for again, and what is so applies.

A handler calls out and returns what to do about the answer, which then happens in one transaction with the event's end.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from billing import refusals
from billing.models import ProviderEvent
from billing.providers import stripe
from billing.services import checkouts, customers, payments, tiers
from billing.services.inbox import Apply, LookUp


def look_up(event: ProviderEvent) -> Apply:
    """Look up what an event is about. Returns what to do about it. Raises NotOurs, ParentUnknown, StripeFailure."""
    handler = HANDLERS.get(event.type)
    if handler is None:
        raise refusals.NotOurs("Nothing is done about events of this type.")
    if event.livemode != stripe.client().livemode:
        raise refusals.NotOurs("It is of the other mode.")
    return handler(event)


def checkout(event: ProviderEvent) -> Apply:
    """A page was paid on, or nobody did: the page, and what was bought on it."""
    client = stripe.client()
    session = client.checkout_session(object_id(event))
    if not _is_id(session.metadata.get("checkout")):
        raise refusals.NotOurs("Nobody here opened this page.")
    paid = payments.look_up_payment(session.payment_intent) if session.payment_intent else None
    subscribed = tiers.look_up_subscription(session.subscription) if session.subscription else None

    def apply() -> None:
        checkouts.update_checkout(session)
        if paid is not None:
            payments.record_payment(paid)
        if subscribed is not None:
            tiers.record_subscription(subscribed)

    return apply


def payment(event: ProviderEvent) -> Apply:
    """Something became of a payment: all of it is looked up, whatever it was."""
    about = event.payload["data"]["object"]
    intent = about["id"] if about.get("object") == "payment_intent" else _reference(about.get("payment_intent"))
    if not intent:
        raise refusals.NotOurs("It is no payment of ours: none of them is without an intent.")
    facts = payments.look_up_payment(intent)
    return lambda: _ignore_result(payments.record_payment(facts))


def subscription(event: ProviderEvent) -> Apply:
    """Something became of a subscription."""
    facts = tiers.look_up_subscription(object_id(event))
    return lambda: _ignore_result(tiers.record_subscription(facts))


def schedule(event: ProviderEvent) -> Apply:
    """A change of a subscription was scheduled or taken back."""
    about = event.payload["data"]["object"]
    named = _reference(about.get("subscription")) or _reference(about.get("released_subscription"))
    if not named:
        raise refusals.NotOurs("It manages no subscription.")
    facts = tiers.look_up_subscription(named)
    return lambda: _ignore_result(tiers.record_subscription(facts))


def invoice(event: ProviderEvent) -> Apply:
    """Something became of an invoice: it, and the subscription that it is for."""
    about = event.payload["data"]["object"]
    details = (about.get("parent") or {}).get("subscription_details") or {}
    named = _reference(details.get("subscription"))
    if not named:
        raise refusals.NotOurs("It is for no subscription.")
    facts = tiers.look_up_subscription(named)
    return lambda: _ignore_result(tiers.record_subscription(facts))


def customer(event: ProviderEvent) -> Apply:
    """A customer was changed or deleted."""
    told = stripe.client().customer(object_id(event))
    return lambda: customers.update_customer(told)


def method(event: ProviderEvent) -> Apply:
    """A card was saved or removed: nothing is kept of cards, they are looked up where they are needed."""
    return lambda: None


def object_id(event: ProviderEvent) -> str:
    """Return the id of the object that an event is about. Raises NotOurs where it has none."""
    told = event.payload["data"]["object"].get("id")
    if not told:
        raise refusals.NotOurs("It is about nothing that could be looked up.")
    return str(told)


def _reference(told: Any) -> str:
    return str(told["id"] if isinstance(told, dict) else told or "")


def _is_id(told: str | None) -> bool:
    try:
        return bool(UUID(told or ""))
    except ValueError:
        return False


def _ignore_result(_: object) -> None:
    return None


HANDLERS: dict[str, LookUp] = {
    **dict.fromkeys(
        [
            "checkout.session.completed", "checkout.session.async_payment_succeeded",
            "checkout.session.async_payment_failed", "checkout.session.expired",
        ],
        checkout,
    ),
    **dict.fromkeys(
        [
            "payment_intent.succeeded", "payment_intent.payment_failed", "payment_intent.processing",
            "payment_intent.canceled", "charge.succeeded", "charge.failed", "charge.refunded", "charge.updated",
            "refund.created", "refund.updated", "refund.failed", "charge.refund.updated", "charge.dispute.created",
            "charge.dispute.updated", "charge.dispute.closed", "charge.dispute.funds_withdrawn",
            "charge.dispute.funds_reinstated",
        ],
        payment,
    ),
    **dict.fromkeys(
        [
            "customer.subscription.created", "customer.subscription.updated", "customer.subscription.deleted",
            "customer.subscription.paused", "customer.subscription.resumed", "customer.subscription.trial_will_end",
        ],
        subscription,
    ),
    **dict.fromkeys(
        ["subscription_schedule.created", "subscription_schedule.updated", "subscription_schedule.released",
         "subscription_schedule.canceled", "subscription_schedule.completed", "subscription_schedule.aborted"],
        schedule,
    ),
    **dict.fromkeys(
        ["invoice.paid", "invoice.payment_failed", "invoice.payment_action_required", "invoice.voided",
         "invoice.marked_uncollectible"],
        invoice,
    ),
    **dict.fromkeys(["customer.updated", "customer.deleted"], customer),
    **dict.fromkeys(
        ["payment_method.attached", "payment_method.detached", "payment_method.updated",
         "payment_method.automatically_updated"],
        method,
    ),
}  # fmt: skip
