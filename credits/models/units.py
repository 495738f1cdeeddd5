from __future__ import annotations

import pgtrigger
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.db.models import Q


class Unit(models.Model):
    """What an account counts: credits, USD, pages."""

    code = models.CharField(
        max_length=20,
        primary_key=True,
        validators=[RegexValidator(r"^[A-Za-z][A-Za-z0-9_-]*$", "Use letters, digits, - and _; begin with a letter.")],
        help_text="How callers name it, for example credits or USD. Never changed.",
    )
    name = models.CharField(max_length=100, help_text="How people read it.")
    decimal_places = models.PositiveSmallIntegerField(
        default=0,
        validators=[MaxValueValidator(6)],
        help_text="The smallest step: 0 for whole credits, up to 6. A finer amount is refused, never rounded.",
    )

    class Meta:
        ordering = ["code"]
        constraints = [models.CheckConstraint(name="unit_decimal_places", condition=Q(decimal_places__lte=6))]
        # Amounts are judged by it when they are made, so it cannot change afterwards.
        triggers = [pgtrigger.ReadOnly(name="step", fields=["code", "decimal_places"])]

    def __str__(self) -> str:
        return self.code
