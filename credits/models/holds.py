from __future__ import annotations

from decimal import Decimal

import pgtrigger
from django.db import models
from django.db.models import F, Q

from credits.amounts import grouped
from credits.models import guards
from credits.models.accounts import Account
from credits.models.fields import AmountField, QuantityField
from credits.models.grants import Grant
from credits.models.memo import MemoFields
from credits.models.prices import Price


class HoldStatus(models.TextChoices):
    OPEN = "open", "Open"
    CAPTURED = "captured", "Captured"
    RELEASED = "released", "Released"
    TIMED_OUT = "timed_out", "Timed out"


class Hold(MemoFields):
    """Credits set aside for a charge whose amount is not known yet: captured, released, or timed out."""

    id = models.UUIDField(primary_key=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="holds", db_index=False)
    amount = AmountField(help_text="What was set aside.")
    captured = AmountField(default=Decimal(0), help_text="What has been charged of it.")
    status = models.CharField(max_length=9, choices=HoldStatus.choices, default=HoldStatus.OPEN)
    lots = models.JSONField(help_text="What it still reserves of each lot, in the order drawn: [[lot, amount], …].")
    abandonment_charge = AmountField(
        default=Decimal(0), help_text="What is charged when it times out; the rest is freed."
    )
    price = models.ForeignKey(
        Price,
        null=True,
        on_delete=models.PROTECT,
        db_index=False,
        help_text="The price that its captures are worked out with.",
    )
    quantity = QuantityField(default=0, help_text="How many uses it stands for.")
    captured_quantity = QuantityField(default=0, help_text="How many of them have been charged.")
    usage = models.JSONField(default=dict, help_text="The worst case that was priced: quantity, model, tokens.")
    freezes = models.ForeignKey(
        Grant,
        null=True,
        on_delete=models.PROTECT,
        related_name="freezes",
        db_index=False,
        help_text="The lot that is frozen by it while the payment for it is disputed. No caller can use or release it.",
    )
    expires_at = models.DateTimeField(help_text="When it times out unless captured or released before.")
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(name="hold_amount", condition=Q(amount__gt=0)),
            models.CheckConstraint(name="hold_captured", condition=Q(captured__gte=0) & Q(captured__lte=F("amount"))),
            models.CheckConstraint(
                name="hold_abandonment_charge",
                condition=Q(abandonment_charge__gte=0) & Q(abandonment_charge__lte=F("amount")),
            ),
            models.CheckConstraint(
                name="hold_quantity",
                condition=Q(captured_quantity__gte=0) & Q(captured_quantity__lte=F("quantity")),
            ),
            models.CheckConstraint(
                name="hold_closed",
                condition=Q(status="open", closed_at__isnull=True) | (~Q(status="open") & Q(closed_at__isnull=False)),
            ),
            models.UniqueConstraint(
                name="hold_one_freeze", fields=["freezes"], condition=Q(status="open", freezes__isnull=False)
            ),
            models.UniqueConstraint(
                name="hold_reference",
                fields=["account", "reference_type", "reference_id"],
                condition=~Q(reference_id=""),
            ),
        ]
        indexes = [
            models.Index(name="hold_of_account", fields=["account", "-id"]),
            models.Index(name="hold_open", fields=["account"], condition=Q(status="open")),
            models.Index(name="hold_due", fields=["expires_at"], condition=Q(status="open")),
        ]
        triggers = [
            guards.KEEP,
            guards.NO_TRUNCATE,
            pgtrigger.ReadOnly(
                name="terms", exclude=["captured", "captured_quantity", "status", "lots", "expires_at", "closed_at"]
            ),
        ]

    def __str__(self) -> str:
        return f"Hold of {grouped(self.amount)}"

    @property
    def remaining(self) -> Decimal:
        """What it still sets aside."""
        return self.amount - self.captured if self.status == HoldStatus.OPEN else Decimal(0)
