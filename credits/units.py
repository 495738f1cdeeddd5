"""How fine each unit is. Kept in the process: a unit's decimal places never change once it is made."""

from __future__ import annotations

from credits import refusals
from credits.models.units import Unit

_places: dict[str, int] = {}


def decimal_places(code: str, *, field: str = "unit") -> int:
    """Return a unit's decimal places. Raises InvalidField, naming the field, for an unknown unit."""
    places = _places.get(code)
    if places is None:
        found = Unit.objects.filter(pk=code).values_list("decimal_places", flat=True).first()
        if found is None:
            raise refusals.InvalidField(field, f"There is no unit {code}.")
        places = _places[code] = found
    return places
