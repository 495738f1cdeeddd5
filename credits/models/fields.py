"""Amounts: how they are stored, and how large they may be."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import models

DECIMAL_PLACES = 6
MAX_DIGITS = 20
# One movement may not be larger than this; a balance may grow to what the column holds.
MAX_AMOUNT = Decimal(10) ** 12
MAX_BALANCE = Decimal(10) ** 14 - Decimal(10) ** -DECIMAL_PLACES


class AmountField(models.DecimalField):  # type: ignore[type-arg]  # django-stubs' generics are for reading, not subclassing
    """An amount of a unit, exact to six decimal places (numeric(20,6))."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_digits"] = MAX_DIGITS
        kwargs["decimal_places"] = DECIMAL_PLACES
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        """Leave the two fixed figures out of migrations."""
        name, path, args, kwargs = super().deconstruct()
        del kwargs["max_digits"], kwargs["decimal_places"]
        return name, path, args, kwargs
