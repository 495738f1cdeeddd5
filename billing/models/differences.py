from __future__ import annotations

from django.db import models
from django.db.models import Q

from credits.models import guards


class DifferenceKind(models.TextChoices):
    PAYMENT = "payment", "Payment"
    REFUND = "refund", "Refund"
    DISPUTE = "dispute", "Dispute"
    SUBSCRIPTION = "subscription", "Subscription"
    EVENT = "event", "Event"


class Difference(models.Model):
    """Something that the payment provider has otherwise than we do, for as long as that is so."""

    kind = models.CharField(max_length=12, choices=DifferenceKind.choices)
    subject = models.CharField(max_length=255, help_text="The provider's id of what differs.")
    about = models.CharField(
        max_length=255, help_text="The payment, subscription or event that is looked up to repair it."
    )
    field = models.CharField(max_length=40, help_text="What of it differs.")
    ours = models.CharField(max_length=255, help_text="What we have.")
    theirs = models.CharField(max_length=255, help_text="What the provider has.")
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    failure = models.TextField(blank=True, help_text="Why the last try to repair it did not.")
    resolved_at = models.DateTimeField(null=True, help_text="Since when both agree again.")
    resolved_by = models.CharField(max_length=150, blank=True, help_text="Who repaired it; empty: it passed by itself.")

    class Meta:
        ordering = ["-id"]
        permissions = [("repair_difference", "Can compare with the payment provider and repair differences")]
        constraints = [
            models.UniqueConstraint(
                name="difference_open_once", fields=["subject", "field"], condition=Q(resolved_at__isnull=True)
            )
        ]
        indexes = [models.Index(name="difference_open", fields=["-id"], condition=Q(resolved_at__isnull=True))]
        triggers = [guards.KEEP, guards.NO_TRUNCATE]

    def __str__(self) -> str:
        return f"{self.subject}: {self.field}"
