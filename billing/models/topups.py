from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

import pgtrigger
from django.db import models
from django.db.models import F, Q

from billing.models.catalogue import Pack
from credits.models import guards
from credits.models.fields import AmountField


class AutoTopUp(models.Model):
    """What an account buys by itself when it runs low, and the brakes on that.

    A purchase is a Checkout that nobody visits: its terms are written before the saved card is charged, with a key made
    of its id. At most one is under way.
    """

    account = models.OneToOneField(
        "credits.Account", on_delete=models.PROTECT, primary_key=True, related_name="auto_topup", help_text="Who buys."
    )
    pack = models.ForeignKey(Pack, on_delete=models.PROTECT, related_name="+", help_text="What is bought.")
    threshold = AmountField(help_text="It buys when less than this can be spent.")
    target = AmountField(null=True, help_text="As many packs as it takes to have this much again; empty: one pack.")
    most_per_hour = models.PositiveSmallIntegerField(help_text="How often it may buy within an hour.")
    most_per_day = models.PositiveSmallIntegerField(help_text="How often it may buy within a day.")
    enabled = models.BooleanField(default=True)
    failures = models.PositiveIntegerField(default=0, help_text="How often it was declined since it last went well.")
    failure = models.CharField(max_length=255, blank=True, help_text="Why it was declined the last time.")
    next_try_at = models.DateTimeField(null=True, help_text="After a decline it waits until then.")
    off_at = models.DateTimeField(null=True, help_text="When it was switched off.")
    off_reason = models.CharField(max_length=255, blank=True, help_text="Why it was switched off, and by whom.")
    stopped = models.BooleanField(
        default=False, help_text="Whether declines switched it off, or money that went back, and not somebody."
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-updated_at"]
        verbose_name = "auto top-up"
        permissions = [("switch_autotopup", "Can switch auto top-ups on and off")]
        constraints = [
            models.CheckConstraint(name="auto_topup_threshold", condition=Q(threshold__gt=0)),
            models.CheckConstraint(
                name="auto_topup_target", condition=Q(target__isnull=True) | Q(target__gte=F("threshold"))
            ),
            models.CheckConstraint(name="auto_topup_ceilings", condition=Q(most_per_hour__gte=1, most_per_day__gte=1)),
            models.CheckConstraint(
                name="auto_topup_off",
                condition=Q(enabled=True, off_at__isnull=True) | Q(enabled=False, off_at__isnull=False),
            ),
        ]
        indexes = [models.Index(name="auto_topup_on", fields=["next_try_at"], condition=Q(enabled=True))]
        triggers = [
            guards.NO_TRUNCATE,
            pgtrigger.ReadOnly(name="identity", fields=["account", "created_at"]),
        ]

    def __str__(self) -> str:
        return f"Auto top-up below {self.threshold:f}"

    def packs(self, available: Decimal) -> int:
        """Return how many packs bring what can be spent back to the target; one without a target."""
        if self.target is None:
            return 1
        missing = max(self.target - available, Decimal(1))
        return int((missing / self.pack.credits).to_integral_value(ROUND_CEILING))
