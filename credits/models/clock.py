from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.db.models import Q


class ClockOffset(models.Model):
    """How far a test clock is ahead of the database's. One row at the most, heeded only where TEST_CLOCK is on."""

    ONLY = 1

    id = models.SmallIntegerField(primary_key=True, default=ONLY, editable=False)
    offset = models.DurationField(default=timedelta(), help_text="What is added to the database's clock.")

    class Meta:
        constraints = [
            models.CheckConstraint(name="clock_one", condition=Q(id=1)),
            models.CheckConstraint(name="clock_forward", condition=Q(offset__gte=timedelta())),
        ]

    def __str__(self) -> str:
        return f"{self.offset} ahead"
