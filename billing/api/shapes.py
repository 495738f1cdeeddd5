"""What answers about buying look like: functions that print, serializers that describe."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from billing.models import AutoTopUp, Checkout, CheckoutKind, CheckoutStatus, Pack, Payment, RefundOrder, RefundStatus
from billing.queries import taken_back
from credits.amounts import number
from credits.api.shapes import AmountOut


def print_pack(pack: Pack) -> dict[str, Any]:
    """Return a pack."""
    return {
        "code": pack.pk,
        "name": pack.name,
        "unit": pack.unit_id,
        "credits": number(pack.credits),
        "price_minor": pack.price_minor,
        "currency": pack.currency,
        "expires_after_days": pack.expires_after_days,
    }


def print_checkout(checkout: Checkout) -> dict[str, Any]:
    """Return a checkout."""
    return {
        "id": checkout.pk,
        "account": checkout.account.external_id,
        "kind": checkout.kind,
        "pack": checkout.pack_id,
        "plan": checkout.plan_version.plan_id if checkout.plan_version else None,
        "credits": number(checkout.credits),
        "amount_minor": checkout.amount_minor,
        "currency": checkout.currency,
        "status": checkout.status,
        "url": checkout.url,
        "created_at": checkout.created_at,
    }


def print_payment(payment: Payment) -> dict[str, Any]:
    """Return a payment, which was fetched with its account, checkout and invoice, and with what it brought."""
    invoice, checkout = payment.invoice, payment.checkout
    brought = [each.movement.amount for each in payment.credits.all()]
    return {
        "id": payment.provider_id,
        "account": payment.account.external_id,
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
        "status": payment.status,
        "refunded_minor": payment.refunded_minor,
        "disputed_minor": payment.disputed_minor,
        "under_dispute": payment.under_dispute,
        "pack": checkout.pack_id if checkout else None,
        "invoice_number": invoice.number if invoice else None,
        "invoice_url": (invoice.hosted_url or None) if invoice else None,
        "receipt_url": payment.receipt_url or None,
        "credits": number(sum(brought, Decimal(0))) if brought else None,
        "transaction_id": payment.movement_id,
        "uncredited": payment.uncredited or None,
        "credits_taken_back": number(taken_back(payment)),
        "created_at": payment.occurred_at,
    }


def print_refund(order: RefundOrder) -> dict[str, Any]:
    """Return a refund, which was fetched with its payment and that one's account."""
    payment = order.payment
    return {
        "id": order.pk,
        "payment": payment.provider_id,
        "account": payment.account.external_id,
        "amount_minor": order.amount_minor,
        "currency": payment.currency,
        "status": order.status,
        "refund_id": order.provider_id or None,
        "reason": order.reason,
        "refunded_minor": payment.refunded_minor,
        "credits_taken_back": number(taken_back(payment)),
        "created_at": order.created_at,
    }


class PaymentRefundOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    payment = serializers.CharField(help_text="The provider's id of the payment.")
    account = serializers.CharField()
    amount_minor = serializers.IntegerField()
    currency = serializers.CharField()
    status = serializers.ChoiceField(RefundStatus.choices)
    refund_id = serializers.CharField(allow_null=True, help_text="The provider's.")
    reason = serializers.CharField()
    refunded_minor = serializers.IntegerField(help_text="What of the payment went back in all.")
    credits_taken_back = AmountOut(help_text="Of the payment, in all.")
    created_at = serializers.DateTimeField()


def print_auto_topup(row: AutoTopUp) -> dict[str, Any]:
    """Return an auto top-up, which was fetched with its account."""
    return {
        "account": row.account.external_id,
        "unit": row.account.unit_id,
        "pack": row.pack_id,
        "threshold": number(row.threshold),
        "target": None if row.target is None else number(row.target),
        "most_per_hour": row.most_per_hour,
        "most_per_day": row.most_per_day,
        "enabled": row.enabled,
        "failures": row.failures,
        "failure": row.failure or None,
        "next_try_at": row.next_try_at,
        "off_at": row.off_at,
        "off_reason": row.off_reason or None,
    }


class AutoTopUpOut(serializers.Serializer[Any]):
    account = serializers.CharField()
    unit = serializers.CharField()
    pack = serializers.CharField()
    threshold = AmountOut()
    target = AmountOut(allow_null=True)
    most_per_hour = serializers.IntegerField(help_text="How often it may buy within an hour.")
    most_per_day = serializers.IntegerField(help_text="How often it may buy within a day.")
    enabled = serializers.BooleanField()
    failures = serializers.IntegerField(help_text="How often it was declined in a row.")
    failure = serializers.CharField(allow_null=True, help_text="Why, in the provider's words.")
    next_try_at = serializers.DateTimeField(allow_null=True, help_text="After a decline it waits until then.")
    off_at = serializers.DateTimeField(allow_null=True)
    off_reason = serializers.CharField(allow_null=True)


class PackOut(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()
    unit = serializers.CharField()
    credits = AmountOut()
    price_minor = serializers.IntegerField(help_text="In minor units (cents).")
    currency = serializers.CharField()
    expires_after_days = serializers.IntegerField(allow_null=True)


class CheckoutOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    account = serializers.CharField()
    kind = serializers.ChoiceField(CheckoutKind.choices)
    pack = serializers.CharField(allow_null=True)
    plan = serializers.CharField(allow_null=True)
    credits = AmountOut(help_text="What a pack brings once it is paid.")
    amount_minor = serializers.IntegerField()
    currency = serializers.CharField()
    status = serializers.ChoiceField(CheckoutStatus.choices)
    url = serializers.CharField(help_text="Where to pay. No credit moves before.")
    created_at = serializers.DateTimeField()


class PortalOut(serializers.Serializer[Any]):
    url = serializers.CharField(help_text="Cards, invoices, cancelling: at the payment provider's.")


class PaymentOut(serializers.Serializer[Any]):
    id = serializers.CharField(help_text="The provider's.")
    account = serializers.CharField()
    amount_minor = serializers.IntegerField()
    currency = serializers.CharField()
    status = serializers.CharField(help_text="In the provider's words.")
    refunded_minor = serializers.IntegerField()
    disputed_minor = serializers.IntegerField(help_text="What lost disputes took.")
    under_dispute = serializers.BooleanField(help_text="Then what is left of its credits is frozen.")
    pack = serializers.CharField(allow_null=True)
    invoice_number = serializers.CharField(allow_null=True)
    invoice_url = serializers.CharField(allow_null=True)
    receipt_url = serializers.CharField(allow_null=True)
    credits = AmountOut(allow_null=True, help_text="What it brought.")
    transaction_id = serializers.UUIDField(allow_null=True)
    uncredited = serializers.CharField(
        allow_null=True, help_text="Why it brought nothing, though it came in. Staff gives it back."
    )
    credits_taken_back = AmountOut()
    created_at = serializers.DateTimeField()
