"""The packs of the demo. Loaded once; again changes nothing."""

from __future__ import annotations

from decimal import Decimal

from billing.models import Pack
from billing.services.catalogue import Terms, add_pack

PACKS = {
    "small": Terms("500 credits", Decimal(500), 1000),
    "medium": Terms("3,000 credits", Decimal(3000), 5000),
    "large": Terms("10,000 credits, for a year", Decimal(10_000), 15_000, expires_after_days=365),
}


def load_packs() -> int:
    """Add the packs that are not there yet. Returns how many were added."""
    known = set(Pack.objects.values_list("pk", flat=True))
    missing = {code: terms for code, terms in PACKS.items() if code not in known}
    for code, terms in missing.items():
        add_pack(code=code, terms=terms)
    return len(missing)
