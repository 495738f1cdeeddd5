"""Credits whose payment was taken back, in part or in whole, or is disputed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from uuid_utils.compat import uuid7

from credits import refusals
from credits.amounts import say
from credits.models.transactions import Counterparty, TransactionKind
from credits.plan.lots import check_debt, check_not_closed, check_room, collect_debt, give_back, move
from credits.plan.spend import unreserve
from credits.plan.state import NO_CHARGE, ZERO, Draws, Lot, Memo, Movement, Posted, Reservation, Sheet

# A freeze ends with its dispute; it does not end by itself.
FREEZE_LASTS = timedelta(days=3650)


def take_back(sheet: Sheet, bought: Posted, total: Decimal, memo: Memo, *, frozen: bool = False) -> Movement | None:
    """Plan that ``total`` of the credits that a payment brought are taken back in all, and its lot frozen or not.

    What an earlier call took counts, so the same again changes nothing and a smaller total gives back. Taken is what
    the lot has free; what expired of it is nobody's gain; what was spent of it is owed. Returns the movement, if one
    was needed.
    """
    original = bought.movement
    if not ZERO <= total <= original.amount:
        raise refusals.InvalidField("total", f"The movement brought {say(original.amount)}.")
    if bought.reversed:
        return None
    lot = sheet.lots_by_id[lot_of(original)]
    freeze = _freeze_of(sheet, lot)
    change = _change(bought, lot, total, freeze)
    if change or freeze is None or not frozen:
        check_not_closed(sheet)
    if freeze is not None and (change > 0 or not frozen):
        _thaw(sheet, freeze)
        freeze = None
    movement = None
    if change > 0:
        movement = _claw(sheet, bought, lot, change, memo)
    elif change < 0:
        movement = _reinstate(sheet, bought, lot, -change, memo)
    if not frozen:
        collect_debt(sheet, [lot], memo)
    elif freeze is None or lot.free:
        # What came back to the lot since it was frozen is frozen with the rest.
        if freeze is not None:
            _thaw(sheet, freeze)
        _freeze(sheet, lot, memo)
    return movement


def lot_of(movement: Movement) -> UUID:
    """Return the lot that a movement opened. Raises NotReversible for one that opened none."""
    for lot_id, part in movement.draws:
        if part > 0:
            return lot_id
    raise refusals.NotReversible(f"A {movement.kind} brought no lot.", kind=movement.kind)


def _change(bought: Posted, lot: Lot, total: Decimal, freeze: Reservation | None) -> Decimal:
    """Return how much more is to be taken back; what is to be given back is negative.

    Of what the lot cannot give, what expired is left out: only what was spent is owed.
    """
    had = bought.clawed_by_lot.get(lot.id, ZERO)
    if total < bought.clawed:
        return min(total - min(bought.expired, max(total - had, ZERO)) - bought.clawed, ZERO)
    there = lot.free + (freeze.remaining if freeze else ZERO)
    wanted = total - min(bought.expired, max(total - had - there, ZERO))
    return max(wanted - bought.clawed, ZERO)


def _claw(sheet: Sheet, bought: Posted, lot: Lot, amount: Decimal, memo: Memo) -> Movement:
    taken = min(amount, lot.free, max(sheet.balance - sheet.held, ZERO))
    owed = amount - taken
    check_debt(sheet, owed)
    draws: Draws = []
    if taken:
        sheet.change_lot(lot, remaining=-taken)
        draws.append((lot.id, -taken))
    return _moved(sheet, bought, -taken, owed, draws, memo)


def _reinstate(sheet: Sheet, bought: Posted, lot: Lot, amount: Decimal, memo: Memo) -> Movement:
    """Give back: what is still owed is forgiven first, the rest returns to the lot it was taken from.

    What was owed and has been repaid since comes back as a lot of its own.
    """
    forgiven = min(max(bought.clawed_owed, ZERO), sheet.debt, amount)
    back = amount - forgiven
    check_room(sheet, back)
    had = bought.clawed_by_lot.get(lot.id, ZERO)
    draws = give_back(sheet, back, [(lot.id, -had)] if had > 0 else [], {})
    movement = _moved(sheet, bought, back, -forgiven, draws, memo)
    collect_debt(sheet, [sheet.lots_by_id[lot_id] for lot_id, _ in draws if lot_id != lot.id], memo)
    return movement


def _moved(sheet: Sheet, bought: Posted, amount: Decimal, debt: Decimal, draws: Draws, memo: Memo) -> Movement:
    movement = move(
        sheet,
        TransactionKind.CLAWBACK,
        amount,
        Counterparty.CHARGEBACKS,
        draws,
        memo,
        debt=debt,
        parent_id=bought.movement.id,
    )
    bought.clawed += debt - amount
    bought.clawed_owed += debt
    for lot_id, part in movement.draws:
        bought.clawed_by_lot[lot_id] = bought.clawed_by_lot.get(lot_id, ZERO) - part
    return movement


def _freeze_of(sheet: Sheet, lot: Lot) -> Reservation | None:
    open_ones = (held for held in sheet.holds.values() if held.status == "open" and held.freezes == lot.id)
    return next(open_ones, None)


def _freeze(sheet: Sheet, lot: Lot, memo: Memo) -> None:
    """Plan a freeze: nobody can spend what the lot has free, and it does not expire."""
    amount = min(lot.free, max(sheet.balance - sheet.held, ZERO))
    if not amount:
        return
    sheet.change_lot(lot, held=amount)
    sheet.held += amount
    planned = Reservation(
        uuid7(), sheet.owner, amount, ZERO, "open", [(lot.id, amount)], ZERO, sheet.at + FREEZE_LASTS, memo, sheet.at,
        charge=NO_CHARGE, freezes=lot.id, is_new=True,
    )  # fmt: skip
    sheet.holds[planned.id] = planned
    sheet.due(planned.expires_at)
    sheet.touched = True


def _thaw(sheet: Sheet, freeze: Reservation) -> None:
    sheet.held -= freeze.remaining
    unreserve(sheet, freeze, freeze.remaining)
    freeze.status = "released"
    freeze.closed_at = sheet.at
    freeze.changed = sheet.touched = True
