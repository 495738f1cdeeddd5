"""Packs, offered to whoever is short of credits."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

from billing.models import Pack
from credits import offers
from credits.amounts import number

# A batch may be refused ten thousand times: what is sold is looked up once in so many seconds.
SECONDS = 10.0
_known: list[tuple[float, list[Pack]]] = []


def cheapest_pack(unit: str, short: Decimal) -> dict[str, Any] | None:
    """Return the pack that brings at least so much for the least money, as it is told; None where none does."""
    able = [pack for pack in _packs() if pack.unit_id == unit and pack.credits >= short]
    pack = min(able, key=lambda each: (each.price_minor, each.code), default=None)
    if pack is None:
        return None
    return {
        "code": pack.code,
        "name": pack.name,
        "credits": number(pack.credits),
        "price_minor": pack.price_minor,
        "currency": pack.currency,
    }


def forget() -> None:
    """Look up anew what is sold the next time."""
    _known.clear()


def register() -> None:
    """Let refusals name packs."""
    offers.register(cheapest_pack)


def _packs() -> list[Pack]:
    now = time.monotonic()
    if not _known or now - _known[0][0] > SECONDS:
        _known[:] = [(now, list(Pack.objects.filter(active=True).exclude(price_reference="")))]
    return _known[0][1]
