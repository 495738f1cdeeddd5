from __future__ import annotations

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from credits.models import guards
from credits.models.fields import AmountField


class Plan(models.Model):
    """What is sold, by its name. What it brings stands in its versions; the newest is what new subscribers get."""

    code = models.CharField(
        max_length=50,
        primary_key=True,
        validators=[RegexValidator(r"^[A-Z0-9][A-Z0-9._-]*$", "Use capital letters, digits, . _ and -.")],
        help_text="How callers name it, for example PRO. Never changed.",
    )
    name = models.CharField(max_length=100, help_text="How people read it.")
    rank = models.PositiveSmallIntegerField(
        help_text="Its place among the plans: to a higher rank is an upgrade, to a lower one a downgrade."
    )
    is_default = models.BooleanField(
        default=False, help_text="Whether accounts without a subscription are on it. One plan is."
    )
    active = models.BooleanField(default=True, help_text="Whether it can be subscribed to. Who has it keeps it.")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["rank", "code"]
        constraints = [
            models.UniqueConstraint(name="plan_default", fields=["is_default"], condition=Q(is_default=True)),
            models.CheckConstraint(name="plan_default_active", condition=Q(is_default=False) | Q(active=True)),
        ]
        triggers = [
            guards.KEEP,
            guards.NO_TRUNCATE,
            pgtrigger.ReadOnly(name="identity", fields=["code", "is_default"]),
        ]

    def __str__(self) -> str:
        return self.name


class Interval(models.TextChoices):
    """How long a billing period is. Credits come each month, whatever the interval."""

    MONTH = "month", "A month"
    YEAR = "year", "A year"


class QuotasFollow(models.TextChoices):
    """When monthly quotas begin anew."""

    CALENDAR = "calendar", "The first of the month"
    SUBSCRIPTION = "subscription", "The subscription's own day of the month"


class PlanVersion(models.Model):
    """A plan's terms from a moment on. Written once: periods that run keep the version they began with."""

    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="versions", db_index=False)
    number = models.PositiveIntegerField(help_text="1, 2, 3 … for each plan.")
    price_minor = models.PositiveBigIntegerField(help_text="The price of a period in minor units (cents).")
    currency = models.CharField(max_length=3, help_text="ISO 4217 code of the price.")
    interval = models.CharField(max_length=5, choices=Interval.choices, help_text="What the price pays for.")
    unit = models.ForeignKey("credits.Unit", on_delete=models.PROTECT, help_text="What its credits are counted in.")
    monthly_credits = AmountField(help_text="Credits that each month brings; 0 is none.")
    rollover_cap = AmountField(
        null=True, help_text="How much of what is left rolls over. Empty: a month's credits end with it."
    )
    trial_days = models.PositiveSmallIntegerField(default=0, help_text="How long it can be tried; 0 is not at all.")
    trial_credits = AmountField(default=0, help_text="Credits of the trial; they end with it.")
    grace_days = models.PositiveSmallIntegerField(
        default=0, help_text="How long it goes on after a payment failed; 0 ends it at once."
    )
    features = ArrayField(models.CharField(max_length=100), help_text="The features it enables.")
    limits = models.JSONField(
        default=list, help_text="How much of them: [[feature or empty for all, period, measure, limit, hard], …]."
    )
    quotas_follow = models.CharField(
        max_length=12,
        choices=QuotasFollow.choices,
        default=QuotasFollow.CALENDAR,
        help_text="When monthly quotas begin anew.",
    )
    allowance = models.ForeignKey(
        "credits.Allowance", on_delete=models.PROTECT, related_name="+", help_text="Features and limits, as enforced."
    )
    created_by = models.CharField(max_length=150, blank=True, help_text="Who wrote it.")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["plan", "-number"]
        constraints = [
            models.UniqueConstraint(name="plan_version_number", fields=["plan", "number"]),
            models.UniqueConstraint(name="plan_version_allowance", fields=["allowance"]),
            models.CheckConstraint(
                name="plan_version_credits",
                condition=Q(monthly_credits__gte=0)
                & Q(trial_credits__gte=0)
                & (Q(rollover_cap__isnull=True) | Q(rollover_cap__gte=0)),
            ),
        ]
        triggers = [guards.APPEND_ONLY, guards.NO_TRUNCATE]

    def __str__(self) -> str:
        return f"{self.plan_id} v{self.number}"
