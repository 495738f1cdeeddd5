"""Before and after: what a plan would change, told from the working copy it was made on."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from credits.admin import lots, show
from credits.models import Grant
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
    lots: dict[UUID, tuple[Lot, Decimal]]


def picture(sheet: Sheet) -> Picture:
    """Return the figures of a sheet as it is now; later plans do not change them."""
    in_turn = sorted(sheet.lots_by_id.values(), key=lambda lot: lot.turn)
    remaining = {lot.id: (lot, lot.remaining) for lot in in_turn}
    return Picture(sheet.balance, sheet.available, sheet.held, sheet.debt, remaining)


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
    changed = [
        (lot, before.lots[pk][1] if pk in before.lots else ZERO, remaining)
        for pk, (lot, remaining) in after.lots.items()
    ]
    changed = [(lot, was, remaining) for lot, was, remaining in changed if was != remaining]
    known = Grant.objects.in_bulk([lot.id for lot, _, _ in changed if not lot.is_new])
    for lot, was, remaining in changed:
        name = lots.name(known[lot.id]) if lot.id in known else lots.name_of_new(lot)
        rows.append(_change(f"{name}{lots.expiry(lot)}", was, remaining, unit, is_lot=True))
    return rows


def _change(label: str, before: Decimal, after: Decimal, unit: str, *, is_lot: bool = False) -> Change:
    difference = show.amount(after - before, unit, signed=True) if after != before else "unchanged"
    return Change(label, show.amount(before, unit), show.amount(after, unit), difference, is_lot)
