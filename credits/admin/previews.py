"""Before and after: what a plan would change, told from the working copy it was made on."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from credits.admin import show
from credits.models import GrantCategory
from credits.plan import Lot, Sheet
from credits.plan.state import ZERO


@dataclass(frozen=True)
class Change:
    """One line of a preview."""

    label: str
    before: str
    after: str
    difference: str = ""
    is_lot: bool = False


@dataclass(frozen=True)
class Picture:
    """The figures of an account at one moment."""

    balance: Decimal
    available: Decimal
    held: Decimal
    debt: Decimal
    lots: dict[UUID, tuple[str, Decimal]]


def picture(sheet: Sheet) -> Picture:
    """Return the figures of a sheet as it is now; later plans do not change them."""
    lots = {lot.id: (_name(lot), lot.remaining) for lot in sorted(sheet.lots_by_id.values(), key=lambda lot: lot.turn)}
    return Picture(sheet.balance, sheet.available, sheet.held, sheet.debt, lots)


def changes(before: Picture, after: Picture, unit: str) -> list[Change]:
    """Return every figure that is always asked for, and every other that changes."""
    rows = [
        _change("Balance", before.balance, after.balance, unit),
        _change("Available", before.available, after.available, unit),
    ]
    rows += [
        _change(label, was, becomes, unit)
        for label, was, becomes in (("Held", before.held, after.held), ("Debt", before.debt, after.debt))
        if was != becomes
    ]
    for lot, (name, remaining) in after.lots.items():
        _, was = before.lots.get(lot, ("", ZERO))
        if was != remaining:
            rows.append(_change(name, was, remaining, unit, is_lot=True))
    return rows


def _name(lot: Lot) -> str:
    expiry = f", expires {show.moment(lot.expires_at)}" if lot.expires_at else ""
    return f"{GrantCategory(lot.category).label} lot {'(new)' if lot.is_new else show.short(lot.id)}{expiry}"


def _change(label: str, before: Decimal, after: Decimal, unit: str, *, is_lot: bool = False) -> Change:
    difference = show.amount(after - before, unit, signed=True) if after != before else "unchanged"
    return Change(label, show.amount(before, unit), show.amount(after, unit), difference, is_lot)
