from __future__ import annotations

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from credits.models import guards
from credits.models.accounts import Account
from credits.models.fields import QuantityField


class QuotaPeriod(models.TextChoices):
    DAILY = "daily", "a day"
    WEEKLY = "weekly", "a week"
    MONTHLY = "monthly", "a month"


class Measure(models.TextChoices):
    """What a quota counts."""

    CREDITS = "credits", "Credits spent"
    QUANTITY = "quantity", "Uses"


class Quota(models.Model):
    """What an account has used in the running window, of one feature or of all, and its own limit where it has one.

    A row appears with the first use that a limit applies to. Limits that a plan gives stand in the account's allowance;
    ``limit`` here is the account's own, and goes first. Written only under the account's lock.
    """

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="quotas", db_index=False)
    feature = models.CharField(max_length=100, blank=True, help_text="Empty counts every feature.")
    period = models.CharField(max_length=7, choices=QuotaPeriod.choices)
    measure = models.CharField(max_length=8, choices=Measure.choices)
    limit = QuantityField(null=True, help_text="The account's own limit; without one, its plan's.")
    hard = models.BooleanField(default=True, help_text="Whether its own limit refuses; a soft one only warns.")
    override_limit = QuantityField(null=True, help_text="The limit for the time being.")
    override_until = models.DateTimeField(null=True, help_text="When the limit for the time being ends.")
    override_reason = models.CharField(max_length=255, blank=True)
    used = QuantityField(default=0)
    # The window's own beginning in the account's history: what has a higher number counts in it.
    since_sequence = models.BigIntegerField(default=0)
    window_start = models.DateTimeField()
    resets_at = models.DateTimeField()

    class Meta:
        ordering = ["account_id", "feature", "period", "measure"]
        permissions = [("override_quota", "Can override a quota for a time"), ("reset_quota", "Can reset a quota now")]
        constraints = [
            models.UniqueConstraint(name="quota_once", fields=["account", "feature", "period", "measure"]),
            models.CheckConstraint(name="quota_used", condition=Q(used__gte=0)),
            models.CheckConstraint(name="quota_limit", condition=Q(limit__isnull=True) | Q(limit__gte=0)),
            models.CheckConstraint(
                name="quota_override",
                condition=Q(override_limit__isnull=True, override_until__isnull=True)
                | Q(override_limit__gte=0, override_until__isnull=False),
            ),
            models.CheckConstraint(name="quota_window", condition=Q(resets_at__gt=F("window_start"))),
        ]
        indexes = [models.Index(name="quota_due", fields=["resets_at"], condition=Q(used__gt=0))]
        triggers = [guards.NO_TRUNCATE]

    def __str__(self) -> str:
        return f"{self.feature or 'Everything'} {self.get_period_display()}"


class QuotaWindow(models.Model):
    """What was used in a window that is over. History: written once."""

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="quota_windows", db_index=False)
    feature = models.CharField(max_length=100, blank=True)
    period = models.CharField(max_length=7, choices=QuotaPeriod.choices)
    measure = models.CharField(max_length=8, choices=Measure.choices)
    window_start = models.DateTimeField()
    window_end = models.DateTimeField()
    used = QuantityField()
    limit = QuantityField(null=True, help_text="What it was limited to when it closed.")

    class Meta:
        ordering = ["-window_start"]
        constraints = [
            models.UniqueConstraint(
                name="quota_window_once", fields=["account", "feature", "period", "measure", "window_start"]
            )
        ]
        triggers = [guards.APPEND_ONLY, guards.NO_TRUNCATE]

    def __str__(self) -> str:
        return f"{self.feature or 'Everything'} {self.get_period_display()} from {self.window_start:%Y-%m-%d}"


class Allowance(models.Model):
    """What accounts on it may use: which features, and how much of them. A plan's version makes one.

    ``features`` are those of the catalogue that it enables; ``denied`` are the rest, kept beside so that a debit needs
    no catalogue. A feature outside the catalogue is nobody's to deny. Of each unit one may be the default, for accounts
    without an allowance of their own.
    """

    code = models.CharField(max_length=100, primary_key=True)
    unit = models.ForeignKey("credits.Unit", on_delete=models.PROTECT)
    features = ArrayField(models.CharField(max_length=100), help_text="The features it enables.")
    denied = ArrayField(models.CharField(max_length=100), editable=False)
    # [[feature, period, measure, limit, hard], …], limits as text.
    limits = models.JSONField(default=list)
    is_default = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(name="allowance_default", fields=["unit"], condition=Q(is_default=True)),
        ]
        triggers = [
            guards.KEEP,
            guards.NO_TRUNCATE,
            pgtrigger.ReadOnly(name="terms", exclude=["denied", "is_default"]),
        ]

    def __str__(self) -> str:
        return self.code
