from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models import Q

from billing.models.payments import Payment
from credits.models import guards


class RefundStatus(models.TextChoices):
    PENDING = "pending", "Under way"
    DONE = "done", "Refunded"
    REFUSED = "refused", "Refused"


class RefundOrder(models.Model):
    """Money that staff or a backend has asked to be given back.

    Written before the provider is asked, with a key made of its id: whatever is lost on the way, it is refunded once.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refund_orders")
    amount_minor = models.PositiveBigIntegerField(help_text="How much, in minor units (cents).")
    reason = models.CharField(max_length=255, help_text="Why, in words.")
    status = models.CharField(max_length=7, choices=RefundStatus.choices, default=RefundStatus.PENDING)
    provider_id = models.CharField(max_length=255, blank=True, help_text="The provider's refund, re_123.")
    failure = models.CharField(max_length=255, blank=True, help_text="Why it was refused, or is not done yet.")
    request_key = models.CharField(
        max_length=400, blank=True, help_text="The Idempotency-Key that it was asked with, and whose."
    )
    request_fingerprint = models.CharField(
        max_length=64, blank=True, help_text="SHA-256 of that request: the key stands for no other."
    )
    actor_kind = models.CharField(max_length=6, blank=True)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_name = models.CharField(max_length=150, blank=True, help_text="Who asked for it.")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(name="refund_order_amount", condition=Q(amount_minor__gt=0)),
            models.UniqueConstraint(name="refund_order_request", fields=["request_key"], condition=~Q(request_key="")),
        ]
        indexes = [models.Index(name="refund_order_pending", fields=["created_at"], condition=Q(status="pending"))]
        triggers = [
            guards.KEEP,
            guards.NO_TRUNCATE,
            pgtrigger.ReadOnly(name="asked", exclude=["status", "provider_id", "failure", "updated_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.amount_minor} of {self.payment_id}"
