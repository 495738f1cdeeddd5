"""Units: add one, or call it something else. What a unit counts in never changes."""

from __future__ import annotations

from credits.models import Unit


def add_unit(*, code: str, name: str, decimal_places: int) -> Unit:
    """Add a unit that accounts can then be opened in. Raises IntegrityError where the code is taken."""
    return Unit.objects.create(code=code, name=name, decimal_places=decimal_places)


def rename_unit(*, code: str, name: str) -> None:
    """Change how people read a unit."""
    Unit.objects.filter(pk=code).update(name=name)
