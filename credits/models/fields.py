"""Amounts: how they are stored, and how large they may be."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from django.db import models

DECIMAL_PLACES = 6
MAX_DIGITS = 20
QUANTITY_PLACES = 12
# More of a feature than anybody uses in one call.
MAX_QUANTITY = Decimal(10) ** 12
# One movement may not be larger than this; a balance may grow to what the column holds.
MAX_AMOUNT = Decimal(10) ** 12
MAX_BALANCE = Decimal(10) ** 14 - Decimal(10) ** -DECIMAL_PLACES


class FixedField(models.DecimalField):  # type: ignore[type-arg]  # django-stubs' generics are for reading, not subclassing
    """A decimal whose digits its class fixes."""

    digits: ClassVar[int]
    places: ClassVar[int]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_digits"] = self.digits
        kwargs["decimal_places"] = self.places
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        """Leave the two fixed figures out of migrations."""
        name, path, args, kwargs = super().deconstruct()
        del kwargs["max_digits"], kwargs["decimal_places"]
        return name, path, args, kwargs


class AmountField(FixedField):
    """An amount of a unit, exact to six decimal places (numeric(20,6))."""

    digits, places = MAX_DIGITS, DECIMAL_PLACES


class TotalField(FixedField):
    """A sum of amounts, of however many accounts and days."""

    digits, places = 38, DECIMAL_PLACES


class QuantityField(FixedField):
    """How much of a feature was used, exact to twelve decimal places: calls, seconds, dollars of cost."""

    digits, places = 30, QUANTITY_PLACES
