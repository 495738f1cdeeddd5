from __future__ import annotations

import pgtrigger
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from credits.models import guards
from credits.models.units import Unit


class Feature(models.Model):
    """Something that is sold by use: a catalogue entry that prices, plans and quotas name."""

    code = models.CharField(
        max_length=100,
        primary_key=True,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9._-]*$", "Use small letters, digits, . _ and -.")],
        help_text="How callers name it, for example ml-analysis. Never changed.",
    )
    name = models.CharField(max_length=100, help_text="How people read it.")
    description = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["code"]
        triggers = [guards.KEEP, guards.NO_TRUNCATE, pgtrigger.ReadOnly(name="identity", fields=["code"])]

    def __str__(self) -> str:
        return self.name


class PriceScheme(models.TextChoices):
    """How a charge is worked out. ``credits.plan.pricing`` does it."""

    FIXED = "fixed", "Fixed cost a call"
    PER_UNIT = "per_unit", "Cost a unit of quantity"
    TIERED = "tiered", "Tiers of quantity"
    TOKENS = "tokens", "Cost a million tokens"
    WITHDRAWN = "withdrawn", "No longer sold"


class Price(models.Model):
    """What one feature, or one AI model, costs from a moment on. Written once; a new price is a new version.

    In force at a moment is the one with the latest ``effective_at`` until then; of two with the same, the later one.
    """

    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, help_text="What it is charged in.")
    feature = models.CharField(max_length=100, blank=True, help_text="The feature it prices; empty for a model.")
    model = models.CharField(max_length=100, blank=True, help_text="The AI model it prices; empty for a feature.")
    version = models.PositiveIntegerField(help_text="1, 2, 3 … for each feature or model and unit.")
    scheme = models.CharField(max_length=9, choices=PriceScheme.choices)
    terms = models.JSONField(help_text="The figures of the scheme, as text: exact.")
    effective_at = models.DateTimeField(help_text="From this moment it is charged.")
    note = models.CharField(max_length=255, blank=True, help_text="Why it changed.")
    created_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        permissions = [("import_prices", "Can import a price list")]
        constraints = [
            models.UniqueConstraint(name="price_version", fields=["unit", "feature", "model", "version"]),
            models.CheckConstraint(
                name="price_subject", condition=Q(feature="") ^ Q(model=""), violation_error_message="One of the two."
            ),
        ]
        # Charges pin the version they were worked out with, so it stays as it was.
        triggers = [guards.APPEND_ONLY, guards.NO_TRUNCATE]

    def __str__(self) -> str:
        return f"{self.feature or self.model} v{self.version}"


class UnpricedStatus(models.TextChoices):
    OPEN = "open", "Waiting for a price"
    RATED = "rated", "Rated"
    WAIVED = "waived", "Refunded before it was rated"


class UnpricedUsage(models.Model):
    """Usage of a feature or model that had no price: charged provisionally, and rated when there is one."""

    transaction = models.OneToOneField(
        "credits.Transaction", on_delete=models.PROTECT, related_name="unpriced", help_text="The provisional charge."
    )
    account = models.ForeignKey("credits.Account", on_delete=models.PROTECT, db_index=False)
    feature = models.CharField(max_length=100, blank=True)
    model = models.CharField(max_length=100, blank=True)
    status = models.CharField(max_length=6, choices=UnpricedStatus.choices, default=UnpricedStatus.OPEN)
    price = models.ForeignKey(Price, null=True, on_delete=models.PROTECT, db_index=False)
    correction = models.OneToOneField(
        "credits.Transaction",
        null=True,
        on_delete=models.PROTECT,
        related_name="corrects",
        help_text="The movement that made the provisional charge right, where it was wrong.",
    )
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "unpriced usage"
        verbose_name_plural = "unpriced usage"
        permissions = [("rate_unpricedusage", "Can rate unpriced usage")]
        constraints = [
            models.CheckConstraint(
                name="unpriced_closed",
                condition=Q(status="open", closed_at__isnull=True) | (~Q(status="open") & Q(closed_at__isnull=False)),
            ),
        ]
        indexes = [models.Index(name="unpriced_open", fields=["-id"], condition=Q(status="open"))]
        triggers = [guards.KEEP, guards.NO_TRUNCATE]

    def __str__(self) -> str:
        return f"Use of {self.model or self.feature}"
