"""Stripe's objects, printed as plain dictionaries, read into the values of ``stripe_objects``."""

from __future__ import annotations

from typing import Any

from billing.providers.stripe_objects import (
    BalanceTransaction,
    Card,
    Charge,
    CheckoutSession,
    Customer,
    Dispute,
    Invoice,
    InvoiceLine,
    PaymentIntent,
    PortalSession,
    Preview,
    Price,
    Raw,
    Refund,
    Subscription,
    labels,
    moment,
    moment_or_none,
    reference,
    text,
)


def read_customer(raw: Raw, *, livemode: bool) -> Customer:
    """Read a customer. Of a deleted one only a stub is told, without its mode."""
    settings = raw.get("invoice_settings") or {}
    return Customer(
        id=raw["id"],
        email=text(raw.get("email")),
        name=text(raw.get("name")),
        deleted=bool(raw.get("deleted")),
        default_payment_method=reference(settings.get("default_payment_method")),
        metadata=labels(raw),
        livemode=raw.get("livemode", livemode),
    )


def read_card(raw: Raw) -> Card:
    """Read a payment method; one that is no card has neither brand nor digits."""
    card = raw.get("card") or {}
    return Card(
        id=raw["id"],
        customer=reference(raw["customer"]),
        kind=raw["type"],
        brand=text(card.get("brand")),
        last4=text(card.get("last4")),
        livemode=raw["livemode"],
    )


def read_price(raw: Raw) -> Price:
    """Read a price."""
    recurring = raw["recurring"] or {}
    return Price(
        id=raw["id"],
        product=reference(raw["product"]),
        lookup_key=text(raw["lookup_key"]),
        nickname=text(raw["nickname"]),
        active=raw["active"],
        currency=raw["currency"],
        unit_amount=raw["unit_amount"] or 0,
        interval=text(recurring.get("interval")),
        interval_count=recurring.get("interval_count", 0),
        metadata=labels(raw),
        livemode=raw["livemode"],
    )


def read_session(raw: Raw) -> CheckoutSession:
    """Read a Checkout session."""
    return CheckoutSession(
        id=raw["id"],
        url=text(raw["url"]),
        mode=raw["mode"],
        status=text(raw["status"]),
        payment_status=raw["payment_status"],
        customer=reference(raw["customer"]),
        payment_intent=reference(raw["payment_intent"]),
        subscription=reference(raw["subscription"]),
        invoice=reference(raw["invoice"]),
        setup_intent=reference(raw["setup_intent"]),
        client_reference_id=text(raw["client_reference_id"]),
        amount_total=raw["amount_total"] or 0,
        currency=text(raw["currency"]),
        metadata=labels(raw),
        created=moment(raw["created"]),
        expires_at=moment(raw["expires_at"]),
        livemode=raw["livemode"],
    )


def read_portal(raw: Raw) -> PortalSession:
    """Read a session of the customer portal."""
    return PortalSession(raw["id"], raw["url"], reference(raw["customer"]), raw["livemode"])


def read_subscription(raw: Raw) -> Subscription:
    """Read a subscription. Its period is that of its item."""
    item = raw["items"]["data"][0]
    return Subscription(
        id=raw["id"],
        customer=reference(raw["customer"]),
        status=raw["status"],
        item=item["id"],
        price=reference(item["price"]),
        quantity=item.get("quantity") or 1,
        currency=raw["currency"],
        anchor=moment(raw["billing_cycle_anchor"]),
        current_period_start=moment(item["current_period_start"]),
        current_period_end=moment(item["current_period_end"]),
        cancel_at_period_end=raw["cancel_at_period_end"],
        cancel_at=moment_or_none(raw["cancel_at"]),
        canceled_at=moment_or_none(raw["canceled_at"]),
        ended_at=moment_or_none(raw["ended_at"]),
        trial_end=moment_or_none(raw["trial_end"]),
        paused=text((raw["pause_collection"] or {}).get("behavior")),
        latest_invoice=reference(raw["latest_invoice"]),
        default_payment_method=reference(raw["default_payment_method"]),
        metadata=labels(raw),
        created=moment(raw["created"]),
        livemode=raw["livemode"],
        schedule=reference(raw["schedule"]),
        next_price=_next_price(raw["schedule"], item["current_period_end"]),
    )


def _next_price(schedule: Any, period_end: int) -> str:
    """Return the price of the phase that follows the running period, where the schedule was told too."""
    phases = schedule["phases"] if isinstance(schedule, dict) else []
    return next((reference(each["items"][0]["price"]) for each in phases if each["start_date"] >= period_end), "")


def read_line(raw: Raw) -> InvoiceLine:
    """Read a line of an invoice."""
    parent = raw["parent"] or {}
    details = parent.get("subscription_item_details") or parent.get("invoice_item_details") or {}
    pricing = (raw["pricing"] or {}).get("price_details") or {}
    return InvoiceLine(
        id=raw["id"],
        amount=raw["amount"],
        price=reference(pricing.get("price")),
        quantity=raw["quantity"] or 1,
        subscription=reference(details.get("subscription")),
        proration=bool(details.get("proration")),
        period_start=moment(raw["period"]["start"]),
        period_end=moment(raw["period"]["end"]),
    )


def read_invoice(raw: Raw) -> Invoice:
    """Read an invoice that was asked for with its payments."""
    details = (raw["parent"] or {}).get("subscription_details") or {}
    parts = (raw.get("payments") or {}).get("data", ())
    paid = [reference(each["payment"].get("payment_intent")) for each in parts if each["status"] == "paid"]
    return Invoice(
        id=raw["id"],
        number=text(raw["number"]),
        customer=reference(raw["customer"]),
        subscription=reference(details.get("subscription")),
        status=text(raw["status"]),
        billing_reason=text(raw["billing_reason"]),
        currency=raw["currency"],
        total=raw["total"],
        amount_due=raw["amount_due"],
        amount_paid=raw["amount_paid"],
        attempt_count=raw["attempt_count"],
        next_payment_attempt=moment_or_none(raw["next_payment_attempt"]),
        paid_at=moment_or_none(raw["status_transitions"]["paid_at"]),
        hosted_invoice_url=text(raw["hosted_invoice_url"]),
        lines=tuple(read_line(each) for each in raw["lines"]["data"]),
        payment_intents=tuple(each for each in paid if each),
        metadata=labels(details),
        created=moment(raw["created"]),
        livemode=raw["livemode"],
    )


def read_preview(raw: Raw) -> Preview:
    """Read an invoice that only might come."""
    lines = tuple(read_line(each) for each in raw["lines"]["data"])
    details = (raw["parent"] or {}).get("subscription_details") or {}
    return Preview(
        subscription=reference(details.get("subscription")),
        currency=raw["currency"],
        total=raw["total"],
        amount_due=raw["amount_due"],
        prorated=sum(each.amount for each in lines if each.proration),
        lines=lines,
        livemode=raw["livemode"],
    )


def read_intent(raw: Raw) -> PaymentIntent:
    """Read a payment intent."""
    error = raw["last_payment_error"] or {}
    return PaymentIntent(
        id=raw["id"],
        status=raw["status"],
        amount=raw["amount"],
        amount_received=raw["amount_received"],
        currency=raw["currency"],
        customer=reference(raw["customer"]),
        latest_charge=reference(raw["latest_charge"]),
        payment_method=reference(raw["payment_method"]),
        error=text(error.get("code")),
        decline_code=text(error.get("decline_code")),
        metadata=labels(raw),
        created=moment(raw["created"]),
        livemode=raw["livemode"],
    )


def read_charge(raw: Raw) -> Charge:
    """Read a charge."""
    return Charge(
        id=raw["id"],
        status=raw["status"],
        amount=raw["amount"],
        amount_refunded=raw["amount_refunded"],
        refunded=raw["refunded"],
        disputed=raw["disputed"],
        currency=raw["currency"],
        customer=reference(raw["customer"]),
        payment_intent=reference(raw["payment_intent"]),
        payment_method=reference(raw["payment_method"]),
        balance_transaction=reference(raw["balance_transaction"]),
        failure_code=text(raw["failure_code"]),
        receipt_url=text(raw["receipt_url"]),
        metadata=labels(raw),
        created=moment(raw["created"]),
        livemode=raw["livemode"],
    )


def read_refund(raw: Raw, *, livemode: bool) -> Refund:
    """Read a refund."""
    return Refund(
        id=raw["id"],
        status=text(raw["status"]),
        amount=raw["amount"],
        currency=raw["currency"],
        charge=reference(raw["charge"]),
        payment_intent=reference(raw["payment_intent"]),
        reason=text(raw["reason"]),
        failure_reason=text(raw.get("failure_reason")),
        metadata=labels(raw),
        created=moment(raw["created"]),
        livemode=livemode,
    )


def read_dispute(raw: Raw) -> Dispute:
    """Read a dispute."""
    return Dispute(
        id=raw["id"],
        status=raw["status"],
        amount=raw["amount"],
        withheld=-sum(each["amount"] for each in raw["balance_transactions"]),
        currency=raw["currency"],
        charge=reference(raw["charge"]),
        payment_intent=reference(raw["payment_intent"]),
        reason=raw["reason"],
        due_by=moment_or_none(raw["evidence_details"]["due_by"]),
        created=moment(raw["created"]),
        livemode=raw["livemode"],
    )


def read_balance(raw: Raw, *, livemode: bool) -> BalanceTransaction:
    """Read a balance transaction."""
    return BalanceTransaction(
        id=raw["id"],
        type=raw["type"],
        reporting_category=raw["reporting_category"],
        source=reference(raw["source"]),
        amount=raw["amount"],
        fee=raw["fee"],
        net=raw["net"],
        currency=raw["currency"],
        created=moment(raw["created"]),
        livemode=livemode,
    )
