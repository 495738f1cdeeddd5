from __future__ import annotations

import pgtrigger
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from credits.models import guards
from credits.models.fields import AmountField


class Pack(models.Model):
    """Credits that can be bought. Who has bought keeps the terms of that day: they stand in the checkout."""

    code = models.CharField(
        max_length=50,
        primary_key=True,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9._-]*$", "Use small letters, digits, . _ and -.")],
        help_text="How callers name it, for example small. Never changed.",
    )
    name = models.CharField(max_length=100, help_text="How people read it.")
    unit = models.ForeignKey("credits.Unit", on_delete=models.PROTECT, help_text="What its credits are counted in.")
    credits = AmountField(help_text="How many it brings.")
    price_minor = models.PositiveBigIntegerField(help_text="What it costs, in minor units (cents).")
    currency = models.CharField(max_length=3, help_text="ISO 4217 code of the price.")
    expires_after_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="How long its credits last. Empty: they do not expire."
    )
    active = models.BooleanField(default=True, help_text="Whether it is sold.")
    price_reference = models.CharField(
        max_length=255,
        blank=True,
        help_text="The provider's price, for example price_123. Empty: nobody can buy it yet.",
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["unit", "price_minor", "code"]
        constraints = [
            models.CheckConstraint(name="pack_credits", condition=Q(credits__gt=0)),
            models.CheckConstraint(name="pack_price", condition=Q(price_minor__gt=0)),
            models.CheckConstraint(name="pack_currency", condition=Q(currency__regex=r"^[A-Z]{3}$")),
        ]
        triggers = [
            guards.KEEP,
            guards.NO_TRUNCATE,
            pgtrigger.ReadOnly(name="identity", fields=["code", "unit", "created_at"]),
        ]

    def __str__(self) -> str:
        return self.name


class PlanPrice(models.Model):
    """Which of the provider's prices pays for a version of a plan. A price pays for one version."""

    plan_version = models.OneToOneField(
        "subscriptions.PlanVersion", on_delete=models.PROTECT, related_name="provider_price", help_text="What is sold."
    )
    price_reference = models.CharField(max_length=255, unique=True, help_text="The provider's price: price_123.")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        triggers = [guards.APPEND_ONLY, guards.NO_TRUNCATE]

    def __str__(self) -> str:
        return f"{self.plan_version}: {self.price_reference}"
