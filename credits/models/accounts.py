from __future__ import annotations

import uuid
from decimal import Decimal

import pgtrigger
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Upper

from credits.models import guards
from credits.models.fields import AmountField
from credits.models.units import Unit

# Fixed for ever: every account's primary key is derived from it.
ACCOUNT_NAMESPACE = uuid.UUID("6f0e3a52-8a5f-5c7e-9a53-0d3c1f6b7a10")


def account_id(external_id: str, unit: str) -> uuid.UUID:
    """Return the primary key of an owner's account in a unit.

    Derived, so that a caller's id leads to the row and its lock without a look-up, and opening an account twice can
    not make two.
    """
    return uuid.uuid5(ACCOUNT_NAMESPACE, f"{unit}:{external_id}")


def _split(field: str) -> Func:
    """Return a field whose words are apart: an address or an id counts as one word to PostgreSQL."""
    return Func(F(field), Value("@.+_-:/"), Value(" " * 7), function="translate", output_field=models.TextField())


# The words that an account is found by. The index below is of just this.
WORDS = SearchVector("name", _split("email"), _split("external_id"), config="simple")


class AccountStatus(models.TextChoices):
    ACTIVE = "active", "Active"
    FROZEN = "frozen", "Frozen"
    CLOSED = "closed", "Closed"


class Weekday(models.IntegerChoices):
    """As ISO 8601 numbers them."""

    MONDAY = 1, "Monday"
    TUESDAY = 2, "Tuesday"
    WEDNESDAY = 3, "Wednesday"
    THURSDAY = 4, "Thursday"
    FRIDAY = 5, "Friday"
    SATURDAY = 6, "Saturday"
    SUNDAY = 7, "Sunday"


class Account(models.Model):
    """One owner's credits in one unit.

    The row a debit locks: balance, held, debt and the position in the account's history change only under its lock.
    None of the columns a debit changes is indexed, so that the update stays within its page.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    external_id = models.CharField(max_length=255, help_text="The caller's own id for the owner. Never changed.")
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, help_text="What this account counts.")
    name = models.CharField(max_length=255, blank=True, help_text="The owner's name, for people.")
    email = models.EmailField(blank=True, help_text="Where the owner can be reached.")
    status = models.CharField(max_length=8, choices=AccountStatus.choices, default=AccountStatus.ACTIVE)
    status_reason = models.CharField(max_length=255, blank=True, help_text="Why it was frozen or closed.")
    balance = AmountField(default=Decimal(0), help_text="The sum of all movements.")
    held = AmountField(default=Decimal(0), help_text="The part of the balance reserved by open holds.")
    overdraft_limit = AmountField(default=Decimal(0), help_text="How far below zero the account may be spent.")
    debt = AmountField(
        default=Decimal(0),
        help_text="Credits that were to be taken back but were already spent. New credits repay it first.",
    )
    sequence = models.BigIntegerField(default=0, help_text="The number of the account's latest transaction.")
    version = models.BigIntegerField(default=0, help_text="Counts every change made under the account's lock.")
    head_hash = models.BinaryField(default=b"", help_text="The hash of the latest transaction.")
    last_recorded_at = models.DateTimeField(null=True, help_text="When the latest transaction was recorded.")
    next_due_at = models.DateTimeField(
        null=True, help_text="The earliest moment at which a lot expires, a hold times out or credits are allotted."
    )
    low_balance_threshold = AmountField(
        null=True,
        blank=True,
        help_text="Warn when the balance falls to this; empty is LOW_BALANCE_THRESHOLD_PERCENT of its last peak.",
    )
    recharged_to = AmountField(
        default=Decimal(0), help_text="What the balance last rose to: what the percentage of a low balance is of."
    )
    plugin_cached_until = models.DateTimeField(
        null=True, help_text="Until when its status as a plugin may be in Valkey, so that a change must tell it there."
    )
    time_zone = models.CharField(max_length=64, default="UTC", help_text="The owner's days begin at its midnight.")
    week_starts_on = models.PositiveSmallIntegerField(
        default=1, choices=Weekday.choices, help_text="The first day of the owner's weeks."
    )
    quota_anchor = models.DateField(
        null=True, help_text="Monthly quotas begin anew on its day of the month; empty is the first."
    )
    allowance = models.ForeignKey(
        "credits.Allowance",
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        help_text="What it may use; without one, the default.",
    )
    allowance_ends_at = models.DateTimeField(null=True, help_text="From this moment the next allowance holds.")
    next_allowance = models.ForeignKey(
        "credits.Allowance", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    metadata = models.JSONField(default=dict, blank=True, help_text="The caller's own notes.")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at", "id"]
        permissions = [
            ("adjust_account", "Can adjust a balance"),
            ("grant_credits", "Can grant promotional credits"),
            ("refund_transaction", "Can refund a movement"),
            ("freeze_account", "Can freeze and unfreeze an account"),
            ("close_account", "Can close an account for ever"),
            ("transfer_credits", "Can transfer credits between accounts"),
            ("manage_hold", "Can extend and release holds"),
            ("send_statement", "Can send a statement to its owner"),
            ("bulk_adjust", "Can adjust many accounts at once"),
        ]
        constraints = [
            models.CheckConstraint(
                name="account_available", condition=Q(balance__gte=F("held") - F("overdraft_limit"))
            ),
            models.CheckConstraint(name="account_held", condition=Q(held__gte=0)),
            models.CheckConstraint(name="account_overdraft_limit", condition=Q(overdraft_limit__gte=0)),
            models.CheckConstraint(name="account_debt", condition=Q(debt__gte=0)),
            models.CheckConstraint(
                name="account_week_starts_on", condition=Q(week_starts_on__gte=1) & Q(week_starts_on__lte=7)
            ),
        ]
        indexes = [
            models.Index(name="account_created", fields=["-created_at", "id"]),
            models.Index(name="account_closed", fields=["id"], condition=Q(status="closed")),
            models.Index(OpClass(Upper("external_id"), name="text_pattern_ops"), name="account_external_id"),
            models.Index(OpClass(Upper("email"), name="text_pattern_ops"), name="account_email"),
            models.Index(OpClass(Upper("name"), name="text_pattern_ops"), name="account_name"),
            GinIndex(WORDS, name="account_name_words"),
        ]
        triggers = [
            guards.KEEP,
            guards.NO_TRUNCATE,
            pgtrigger.ReadOnly(name="identity", fields=["id", "external_id", "unit"]),
        ]

    def __str__(self) -> str:
        return self.external_id

    @property
    def available(self) -> Decimal:
        """What could be spent or held, were nothing due to expire."""
        available: Decimal = self.balance - self.held + self.overdraft_limit
        return available
