from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models import F, Q

from credits.models import guards
from credits.models.accounts import Account
from credits.models.fields import AmountField


class GrantCategory(models.TextChoices):
    """Whose credits these are in the accounts: what was paid for, and what was given."""

    PAID = "paid", "Paid"
    PLAN = "plan", "Plan"
    TRIAL = "trial", "Trial"
    PROMOTIONAL = "promotional", "Promotional"


class Grant(models.Model):
    """A lot: credits that came in together. Drawn by priority, then earliest expiry, then oldest."""

    id = models.UUIDField(primary_key=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="grants", db_index=False)
    amount = AmountField(help_text="What came in.")
    remaining = AmountField(help_text="What is left of it, held or free.")
    held = AmountField(help_text="The part of what is left that open holds reserve.")
    is_open = models.BooleanField(help_text="Whether anything is left.")
    category = models.CharField(max_length=11, choices=GrantCategory.choices)
    priority = models.SmallIntegerField(default=50, help_text="Lots with a lower number are drawn first.")
    expires_at = models.DateTimeField(null=True, help_text="From this moment its free part cannot be spent.")
    transferable = models.BooleanField(default=True, help_text="Whether it may move to another account.")
    paid_currency = models.CharField(max_length=3, blank=True, help_text="ISO 4217 code of what was paid for it.")
    paid_minor = models.BigIntegerField(default=0, help_text="What was paid for it, in minor units (cents).")
    source = models.CharField(max_length=330, blank=True, help_text="What it came from, for example payment:pi_123.")
    origin = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, db_index=False, help_text="The lot it was transferred from."
    )
    opening_sequence = models.BigIntegerField(help_text="The number of the transaction that opened it.")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        verbose_name = "lot"
        constraints = [
            models.CheckConstraint(name="grant_amount", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="grant_remaining",
                condition=Q(held__gte=0) & Q(remaining__gte=F("held")) & Q(amount__gte=F("remaining")),
            ),
            models.CheckConstraint(
                name="grant_open",
                condition=Q(is_open=True, remaining__gt=0) | Q(is_open=False, remaining=0),
            ),
            models.CheckConstraint(name="grant_paid", condition=Q(paid_minor__gte=0)),
        ]
        indexes = [
            models.Index(name="grant_open_lots", fields=["account"], condition=Q(is_open=True)),
            models.Index(name="grant_of_account", fields=["account", "-id"]),
            models.Index(
                name="grant_expiry", fields=["expires_at"], condition=Q(is_open=True, expires_at__isnull=False)
            ),
        ]
        triggers = [
            guards.KEEP,
            guards.NO_TRUNCATE,
            pgtrigger.ReadOnly(name="terms", exclude=["remaining", "held", "is_open"]),
        ]

    def __str__(self) -> str:
        return f"{self.get_category_display()} lot of {self.created_at:%B %Y}"
