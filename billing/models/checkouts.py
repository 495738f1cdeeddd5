from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models import Q

from billing.models.catalogue import Pack
from credits.models import guards
from credits.models.fields import AmountField


class CheckoutKind(models.TextChoices):
    PACK = "pack", "Pack"
    PLAN = "plan", "Plan"


class CheckoutStatus(models.TextChoices):
    OPEN = "open", "Open"
    PENDING = "pending", "Payment under way"
    PAID = "paid", "Paid"
    FAILED = "failed", "Payment failed"
    EXPIRED = "expired", "Expired"


class Checkout(models.Model):
    """One visit to the provider's page, on the terms of the moment it was opened.

    Written before the provider is asked, so that whatever was lost on the way, the same request finds it again and the
    provider, asked with a key made of its id, opens no second one.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    account = models.ForeignKey(
        "credits.Account", on_delete=models.PROTECT, related_name="checkouts", db_index=False, help_text="Who buys."
    )
    kind = models.CharField(max_length=4, choices=CheckoutKind.choices)
    pack = models.ForeignKey(Pack, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    plan_version = models.ForeignKey(
        "subscriptions.PlanVersion", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    trial = models.BooleanField(default=False, help_text="Whether it begins with the plan's trial.")
    credits = AmountField(default=0, help_text="How many credits the pack brings.")
    amount_minor = models.PositiveBigIntegerField(help_text="What it costs, in minor units (cents).")
    currency = models.CharField(max_length=3, help_text="ISO 4217 code.")
    expires_after_days = models.PositiveIntegerField(null=True, help_text="How long the credits last.")
    livemode = models.BooleanField(help_text="Whether it is paid with real money.")
    status = models.CharField(max_length=7, choices=CheckoutStatus.choices, default=CheckoutStatus.OPEN)
    provider_id = models.CharField(max_length=255, blank=True, help_text="The provider's id, for example cs_123.")
    url = models.TextField(blank=True, help_text="Where to pay.")
    request_key = models.CharField(
        max_length=400, blank=True, help_text="The Idempotency-Key that it was asked with, and whose."
    )
    request_fingerprint = models.CharField(
        max_length=64, blank=True, help_text="SHA-256 of that request: the key stands for no other."
    )
    actor_name = models.CharField(max_length=150, blank=True, help_text="Who asked for it.")
    automatic = models.BooleanField(
        default=False, help_text="Whether a saved card is charged, and nobody visits a page."
    )
    card_reference = models.CharField(max_length=255, blank=True, help_text="The saved card that is charged, pm_123.")
    failure = models.CharField(max_length=255, blank=True, help_text="Why nobody could pay.")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="checkout_of_one_kind",
                condition=Q(kind="pack", pack__isnull=False, plan_version__isnull=True, credits__gt=0)
                | Q(kind="plan", pack__isnull=True, plan_version__isnull=False, credits=0),
            ),
            models.UniqueConstraint(name="checkout_request", fields=["request_key"], condition=~Q(request_key="")),
            models.UniqueConstraint(
                name="checkout_one_automatic",
                fields=["account"],
                condition=Q(automatic=True, status__in=["open", "pending"]),
            ),
            models.UniqueConstraint(name="checkout_provider_id", fields=["provider_id"], condition=~Q(provider_id="")),
        ]
        indexes = [
            models.Index(name="checkout_of_account", fields=["account", "-id"]),
            models.Index(name="checkout_automatic", fields=["created_at"], condition=Q(automatic=True, status="open")),
        ]
        triggers = [
            guards.KEEP,
            guards.NO_TRUNCATE,
            pgtrigger.ReadOnly(
                name="terms", exclude=["status", "provider_id", "url", "card_reference", "failure", "updated_at"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} for {self.amount_minor} {self.currency}"
