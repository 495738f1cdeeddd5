"""What somebody who is short of credits could buy. Whoever sells registers; the ledger itself sells nothing."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

# Returns the cheapest thing that brings at least so much of a unit, as it is told, or nothing.
Seller = Callable[[str, Decimal], dict[str, Any] | None]

_sellers: list[Seller] = []


def register(seller: Seller) -> None:
    """Let refusals for want of credits name what this seller has."""
    if seller not in _sellers:
        _sellers.append(seller)


def cheapest(unit: str, short: Decimal) -> dict[str, Any] | None:
    """Return what would cover a shortage, of the first seller that has something."""
    return next(filter(None, (seller(unit, short) for seller in _sellers)), None)
