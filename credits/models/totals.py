from __future__ import annotations

from django.db import models

from credits.models.accounts import Account
from credits.models.fields import QuantityField, TotalField
from credits.models.transactions import TransactionKind
from credits.models.units import Unit


class DayTotal(models.Model):
    """What an account moved on one of its days, by feature and kind: its transactions until the mark, summed."""

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="day_totals", db_index=False)
    day = models.DateField(help_text="In the account's time zone, as it was then.")
    feature = models.CharField(max_length=100, blank=True)
    kind = models.CharField(max_length=10, choices=TransactionKind.choices)
    amount = TotalField()
    quantity = QuantityField()
    movements = models.BigIntegerField()

    class Meta:
        ordering = ["account_id", "day", "feature", "kind"]
        constraints = [models.UniqueConstraint(name="day_total_once", fields=["account", "day", "feature", "kind"])]
        indexes = [models.Index(name="day_total_day", fields=["day"])]

    def __str__(self) -> str:
        return f"{self.day} {self.feature} {self.kind}"


class TotalsMark(models.Model):
    """How far an account's transactions are in its day totals."""

    account = models.OneToOneField(Account, on_delete=models.PROTECT, primary_key=True, related_name="totals_mark")
    sequence = models.BigIntegerField(help_text="The number of the last transaction that is in them.")

    def __str__(self) -> str:
        return str(self.sequence)


class KindTotal(models.Model):
    """What all accounts of a unit moved, by kind and reference type: every transaction that is in the day totals."""

    id = models.BigAutoField(primary_key=True)
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="+", db_index=False)
    kind = models.CharField(max_length=10, choices=TransactionKind.choices)
    reference_type = models.CharField(max_length=50, blank=True)
    amount = TotalField()
    movements = models.BigIntegerField()

    class Meta:
        ordering = ["unit_id", "kind", "reference_type"]
        constraints = [models.UniqueConstraint(name="kind_total_once", fields=["unit", "kind", "reference_type"])]

    def __str__(self) -> str:
        return f"{self.unit_id} {self.kind} {self.reference_type}"


class Overview(models.Model):
    """Figures of the whole business as they were at a moment, for staff's front page. One row; the clock renews it."""

    ONLY = 1

    id = models.SmallIntegerField(primary_key=True, default=ONLY, editable=False)
    figures = models.JSONField(help_text="Amounts as text: exact.")
    taken_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(name="overview_one", condition=models.Q(id=1))]

    def __str__(self) -> str:
        return f"At {self.taken_at:%Y-%m-%d %H:%M}"
