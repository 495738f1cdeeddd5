from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models import Q

from credits.models import guards
from credits.models.accounts import Account
from credits.models.fields import AmountField


class Allotment(models.Model):
    """A standing order for credits: so many each period, from an anchor on, until it ends.

    Its periods fall due like expiries: settled under the account's lock at the next touch, each once, however late the
    clock runs. Periods are counted from the anchor in its time zone, so that day 31 never drifts.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="allotments", db_index=False)
    source = models.CharField(max_length=100, help_text="Who ordered it, for example subscription:7.")
    description = models.CharField(max_length=200, blank=True, help_text="In words, for people.")
    amount = AmountField(help_text="What each period brings.")
    first_amount = AmountField(null=True, help_text="What the first period brings, where that is not the same.")
    covered = AmountField(
        default=0, help_text="How many earlier credits are meant for the first period: no cap cuts them."
    )
    first_period = models.IntegerField(help_text="The number of the first period, counted from the anchor.")
    priority = models.SmallIntegerField(default=40, help_text="Of its lots: lower is drawn first.")
    anchor = models.DateTimeField(help_text="When period 0 began.")
    time_zone = models.CharField(max_length=64)
    months = models.PositiveSmallIntegerField(default=1, help_text="How long a period is.")
    rollover_cap = AmountField(
        null=True, help_text="How much of what is left may roll over. Empty: a period's credits end with it."
    )
    next_period = models.IntegerField(help_text="The number of the period that is issued next.")
    next_at = models.DateTimeField(null=True, help_text="When that falls due; empty when nothing more will.")
    ends_at = models.DateTimeField(null=True, help_text="Periods from this moment on are not issued.")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(name="allotment_amount", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="allotment_first_amount", condition=Q(first_amount__isnull=True) | Q(first_amount__gte=0)
            ),
            models.CheckConstraint(name="allotment_covered", condition=Q(covered__gte=0)),
            models.CheckConstraint(name="allotment_months", condition=Q(months__gte=1)),
            models.CheckConstraint(
                name="allotment_rollover_cap", condition=Q(rollover_cap__isnull=True) | Q(rollover_cap__gte=0)
            ),
        ]
        indexes = [
            models.Index(name="allotment_of_account", fields=["account"]),
            models.Index(name="allotment_due", fields=["next_at"], condition=Q(next_at__isnull=False)),
        ]
        triggers = [
            guards.KEEP,
            guards.NO_TRUNCATE,
            pgtrigger.ReadOnly(name="terms", exclude=["next_period", "next_at", "ends_at"]),
        ]

    def __str__(self) -> str:
        return self.description or self.source
