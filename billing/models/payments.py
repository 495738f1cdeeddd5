from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models import F, Q

from billing.models.checkouts import Checkout
from credits.models import guards
from credits.models.fields import AmountField


class Record(models.Model):
    """What every record of the provider's has."""

    provider_id = models.CharField(max_length=255, unique=True, help_text="The provider's id.")
    amount_minor = models.PositiveBigIntegerField(help_text="In minor units (cents).")
    currency = models.CharField(max_length=3, help_text="ISO 4217 code.")
    status = models.CharField(max_length=40, help_text="In the provider's words.")
    livemode = models.BooleanField(help_text="Whether it is real money.")
    occurred_at = models.DateTimeField(help_text="When it began, by the provider's clock.")
    updated_at = models.DateTimeField(help_text="When the provider was last asked about it.")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.provider_id


class Invoice(Record):
    """What the provider asked for a period of a subscription."""

    account = models.ForeignKey("credits.Account", on_delete=models.PROTECT, related_name="invoices", db_index=False)
    subscription_reference = models.CharField(max_length=255, help_text="The provider's subscription, sub_123.")
    number = models.CharField(max_length=100, blank=True, help_text="As printed on it.")
    billing_reason = models.CharField(max_length=40, blank=True, help_text="Why there is one, in the provider's words.")
    paid_minor = models.PositiveBigIntegerField(default=0, help_text="What of it is paid, in minor units.")
    period_starts_at = models.DateTimeField(null=True, help_text="From when it pays for the plan.")
    period_ends_at = models.DateTimeField(null=True, help_text="Until when it pays for the plan.")
    covers_from = models.DateTimeField(null=True, help_text="From when it is delivered; of a change, its moment.")
    covers_until = models.DateTimeField(null=True, help_text="Until when it is delivered.")
    price_reference = models.CharField(max_length=255, blank=True, help_text="The price of that period.")
    hosted_url = models.TextField(blank=True, help_text="Where the customer sees it.")
    followed = models.BooleanField(
        default=False, help_text="Whether the subscription has become what this payment made of it."
    )

    class Meta:
        ordering = ["-occurred_at", "-id"]
        indexes = [
            models.Index(name="invoice_of_account", fields=["account", "-occurred_at"]),
            models.Index(name="invoice_number", fields=["number"], condition=~Q(number="")),
            models.Index(name="invoice_of_subscription", fields=["subscription_reference", "-occurred_at"]),
            models.Index(name="invoice_covers", fields=["covers_until"], condition=Q(covers_until__isnull=False)),
        ]
        triggers = [
            guards.KEEP,
            guards.NO_TRUNCATE,
            pgtrigger.ReadOnly(name="identity", fields=["provider_id", "account", "livemode", "currency"]),
        ]


class Payment(Record):
    """Money that came in, or was to. ``movement`` is what it brought first, ``claimed`` what of all is to be gone."""

    account = models.ForeignKey("credits.Account", on_delete=models.PROTECT, related_name="payments", db_index=False)
    checkout = models.ForeignKey(Checkout, null=True, on_delete=models.PROTECT, related_name="payments")
    invoice = models.ForeignKey(Invoice, null=True, on_delete=models.PROTECT, related_name="payments")
    charge_reference = models.CharField(max_length=255, blank=True, help_text="The provider's charge, ch_123.")
    refunded_minor = models.PositiveBigIntegerField(default=0, help_text="What of it went back, in minor units.")
    disputed_minor = models.PositiveBigIntegerField(default=0, help_text="What of it disputes have taken for good.")
    under_dispute = models.BooleanField(default=False, help_text="Whether the bank has yet to decide.")
    failure = models.CharField(max_length=255, blank=True, help_text="Why it failed, in the provider's words.")
    receipt_url = models.TextField(blank=True, help_text="Where the customer sees it.")
    movement = models.ForeignKey(
        "credits.Transaction", null=True, on_delete=models.PROTECT, related_name="+", help_text="What it brought."
    )
    uncredited = models.CharField(
        max_length=255, blank=True, help_text="Why it brought nothing, though it came in. Then it is to be given back."
    )
    claimed = AmountField(default=0, help_text="How many of its credits are to be gone, for refunds and disputes.")

    class Meta:
        ordering = ["-occurred_at", "-id"]
        permissions = [("refund_payment", "Can refund a payment through the provider")]
        constraints = [
            models.CheckConstraint(
                name="payment_taken_back", condition=Q(refunded_minor__lte=F("amount_minor")) & Q(claimed__gte=0)
            ),
        ]
        indexes = [
            models.Index(name="payment_of_account", fields=["account", "-occurred_at"]),
            models.Index(name="payment_charge", fields=["charge_reference"], condition=~Q(charge_reference="")),
            models.Index(name="payment_disputed", fields=["account"], condition=Q(under_dispute=True)),
            models.Index(name="payment_uncredited", fields=["-occurred_at"], condition=~Q(uncredited="")),
        ]
        triggers = [
            guards.KEEP,
            guards.NO_TRUNCATE,
            pgtrigger.ReadOnly(name="identity", fields=["provider_id", "account", "livemode", "currency"]),
        ]


class PaymentCredit(models.Model):
    """Credits that a payment brought: a movement, and how much of it is to be gone for refunds and disputes.

    A pack's payment brings one, that of a plan one for each of its months as they come, or for a change of plan.
    """

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="credits")
    movement = models.OneToOneField("credits.Transaction", on_delete=models.PROTECT, related_name="+")
    claimed = AmountField(default=0, help_text="How much of it is to be gone.")

    class Meta:
        ordering = ["id"]
        constraints = [models.CheckConstraint(name="payment_credit_claimed", condition=Q(claimed__gte=0))]
        triggers = [
            guards.KEEP,
            guards.NO_TRUNCATE,
            pgtrigger.ReadOnly(name="brought", fields=["payment", "movement"]),
        ]

    def __str__(self) -> str:
        return f"{self.movement_id} of {self.payment_id}"


class Refund(Record):
    """Money that goes back to the customer, from our side or from the provider's dashboard."""

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    reason = models.CharField(max_length=60, blank=True, help_text="Why, in the provider's words.")

    class Meta:
        ordering = ["-occurred_at", "-id"]
        triggers = [
            guards.KEEP,
            guards.NO_TRUNCATE,
            pgtrigger.ReadOnly(name="identity", fields=["provider_id", "payment", "livemode", "currency"]),
        ]


class Dispute(Record):
    """A payment that its cardholder calls in question."""

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="disputes")
    reason = models.CharField(max_length=60, blank=True, help_text="Why, in the provider's words.")

    class Meta:
        ordering = ["-occurred_at", "-id"]
        triggers = [
            guards.KEEP,
            guards.NO_TRUNCATE,
            pgtrigger.ReadOnly(name="identity", fields=["provider_id", "payment", "livemode", "currency"]),
        ]
