from __future__ import annotations

from decimal import Decimal

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from credits.amounts import grouped
from credits.models import guards
from credits.models.accounts import Account
from credits.models.fields import AmountField, QuantityField
from credits.models.holds import Hold
from credits.models.memo import MemoFields
from credits.models.prices import Price


class TransactionKind(models.TextChoices):
    """Why an account's balance moved."""

    TOPUP = "topup", "Top-up"
    PLAN = "plan", "Plan credits"
    TRIAL = "trial", "Trial credits"
    PROMOTION = "promotion", "Promotional credits"
    ORDER = "order", "Order credits"
    USAGE = "usage", "Usage"
    CAPTURE = "capture", "Captured hold"
    REFUND = "refund", "Refund"
    ADJUSTMENT = "adjustment", "Adjustment"
    EXPIRY = "expiry", "Expiry"
    TRANSFER = "transfer", "Transfer"
    CLAWBACK = "clawback", "Clawback"
    REVERSAL = "reversal", "Reversal"


class Counterparty(models.TextChoices):
    """The system account on the other side of a movement."""

    SALES = "sales", "Sales"
    PROMOTIONS = "promotions", "Promotions"
    USAGE = "usage", "Usage"
    EXPIRED = "expired", "Expired"
    ADJUSTMENTS = "adjustments", "Adjustments"
    TRANSFERS = "transfers", "Transfers"
    CHARGEBACKS = "chargebacks", "Chargebacks"


class Transaction(MemoFields):
    """One movement between an account and its counterparty. Written once; corrections are new movements.

    Double entry by construction: the counterparty's side is the same row with the sign turned, so the books sum to
    zero whatever is written. ``hash`` covers the row and the hash before it on the same account.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="transactions", db_index=False)
    sequence = models.BigIntegerField(help_text="1, 2, 3 … within the account, without gaps.")
    kind = models.CharField(max_length=10, choices=TransactionKind.choices)
    amount = AmountField(help_text="Positive where the account gained, negative where it lost.")
    balance_before = AmountField()
    balance_after = AmountField()
    debt = AmountField(default=Decimal(0), help_text="What of it is still owed, or was repaid: the change of debt.")
    counterparty = models.CharField(max_length=11, choices=Counterparty.choices)
    draws = models.JSONField(help_text="What each lot gained or lost, in the order drawn: [[lot, amount], …].")
    parent = models.ForeignKey(
        "self",
        null=True,
        on_delete=models.PROTECT,
        related_name="children",
        db_index=False,
        help_text="The movement this one refunds, reverses or is the other leg of.",
    )
    hold = models.ForeignKey(Hold, null=True, on_delete=models.PROTECT, related_name="captures", db_index=False)
    price = models.ForeignKey(
        Price,
        null=True,
        on_delete=models.PROTECT,
        related_name="charges",
        db_index=False,
        help_text="The version of the price that it was worked out with.",
    )
    quantity = QuantityField(default=0, help_text="How many uses it charged, or gave back.")
    usage = models.JSONField(default=dict, help_text="What was priced: quantity, model, tokens.")
    day = models.DateField(help_text="The account's day when it was written, in its time zone as it was then.")
    recorded_at = models.DateTimeField(help_text="When it was written; never before the account's previous one.")
    hash = models.BinaryField()

    class Meta:
        ordering = ["-id"]
        # What staff calls it; the API calls it a transaction.
        verbose_name = "movement"
        constraints = [
            models.UniqueConstraint(name="transaction_sequence", fields=["account", "sequence"]),
            models.UniqueConstraint(
                name="transaction_reference",
                fields=["account", "reference_type", "reference_id", "kind"],
                condition=~Q(reference_id=""),
            ),
            models.CheckConstraint(name="transaction_amount", condition=~Q(amount=0, debt=0)),
            models.CheckConstraint(name="transaction_sequence_from_one", condition=Q(sequence__gte=1)),
            models.CheckConstraint(
                name="transaction_balance", condition=Q(balance_after=F("balance_before") + F("amount"))
            ),
        ]
        indexes = [
            models.Index(name="transaction_as_of", fields=["account", "-recorded_at", "-sequence"]),
            models.Index(name="transaction_parent", fields=["parent"], condition=Q(parent__isnull=False)),
            models.Index(name="transaction_hold", fields=["hold"], condition=Q(hold__isnull=False)),
            models.Index(name="transaction_reference_id", fields=["reference_id"], condition=~Q(reference_id="")),
            models.Index(name="transaction_request", fields=["request_id"], condition=~Q(request_id="")),
            BrinIndex(name="transaction_recorded", fields=["recorded_at"], pages_per_range=32),
        ]
        triggers = [
            guards.APPEND_ONLY,
            guards.NO_TRUNCATE,
        ]

    def __str__(self) -> str:
        sign = "−" if self.amount < 0 else "+" if self.amount else ""
        return f"{self.get_kind_display()} {sign}{grouped(abs(self.amount))}"
