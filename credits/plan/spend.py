"""Credits that are used: at once, or set aside first and captured."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from uuid_utils.compat import uuid7

from credits import refusals
from credits.amounts import say
from credits.models.transactions import Counterparty, TransactionKind
from credits.plan.lots import check_amount, check_can_give, check_not_closed, collect_debt, known, move, short, take
from credits.plan.state import SYSTEM, ZERO, Draws, Memo, Movement, Reservation, Sheet


def spend(sheet: Sheet, amount: Decimal, memo: Memo) -> Movement:
    """Plan a spend, drawn on the lots in their order and then on the overdraft."""
    check_amount(sheet, amount)
    earlier = known(sheet, TransactionKind.USAGE, memo, -amount)
    if earlier is not None:
        return earlier
    check_can_give(sheet)
    if amount > sheet.available:
        raise short(sheet, amount, sheet.available)
    draws, _ = take(sheet, amount)
    return move(sheet, TransactionKind.USAGE, -amount, Counterparty.USAGE, draws, memo)


def hold(
    sheet: Sheet, amount: Decimal, memo: Memo, *, lasting: timedelta, abandonment_charge: Decimal = ZERO
) -> Reservation:
    """Plan a hold: the lots that would be spent now are reserved for it."""
    check_amount(sheet, amount)
    if abandonment_charge:
        check_amount(sheet, abandonment_charge, "abandonment_charge")
    if abandonment_charge > amount:
        raise refusals.InvalidField("abandonment_charge", "The abandonment charge must not exceed the hold.")
    earlier = sheet.hold_references.get((memo.reference_type, memo.reference_id))
    if earlier is not None:
        if earlier.amount != amount:
            raise refusals.ReferenceConflict(
                f"{memo.reference_id} held {say(earlier.amount)} before.", hold_id=earlier.id
            )
        check_open(earlier)
        return earlier
    check_can_give(sheet)
    if amount > sheet.available:
        raise short(sheet, amount, sheet.available)
    reserved: Draws = []
    left = amount
    for lot in sheet.lots:
        part = min(lot.free, left)
        if part:
            sheet.change_lot(lot, held=part)
            reserved.append((lot.id, part))
            left -= part
        if not left:
            break
    sheet.held += amount
    expires_at = sheet.at + lasting
    planned = Reservation(
        uuid7(),
        sheet.owner,
        amount,
        ZERO,
        "open",
        reserved,
        abandonment_charge,
        expires_at,
        memo,
        sheet.at,
        is_new=True,
    )
    sheet.holds[planned.id] = planned
    if memo.reference_id:
        sheet.hold_references[memo.reference_type, memo.reference_id] = planned
    sheet.due(expires_at)
    sheet.touched = True
    return planned


def capture(sheet: Sheet, held: Reservation, amount: Decimal | None, memo: Memo, *, final: bool = False) -> Movement:
    """Plan a charge of a held amount, by default all that is left. ``final`` frees the rest."""
    if amount is not None:
        check_amount(sheet, amount)
    asked = None if amount is None else -amount
    earlier = known(sheet, TransactionKind.CAPTURE, memo, asked, hold_id=held.id)
    if earlier is not None:
        return earlier
    check_open(held)
    check_not_closed(sheet)
    amount = held.remaining if amount is None else amount
    if amount > held.remaining:
        raise refusals.CaptureExceedsHold(
            f"{say(amount)} cannot be captured: {say(held.remaining)} is left of the hold.",
            hold_id=held.id,
            remaining=held.remaining,
        )
    movement = _charge(sheet, held, amount, memo)
    if final or not held.remaining:
        _close(sheet, held, "captured")
    return movement


def release(sheet: Sheet, held: Reservation) -> Reservation:
    """Plan the end of a hold without a further charge: what is left of it is free again."""
    check_open(held)
    _close(sheet, held, "captured" if held.captured else "released")
    return held


def extend(sheet: Sheet, held: Reservation, expires_at: datetime) -> Reservation:
    """Plan a later end of the hold."""
    check_open(held)
    if expires_at <= held.expires_at:
        raise refusals.InvalidField("ttl_seconds", "The hold already lasts that long.")
    held.expires_at = expires_at
    held.changed = sheet.touched = True
    return held


def time_out(sheet: Sheet, held: Reservation, memo: Memo) -> None:
    """Plan what happens to a hold nobody came back for: its abandonment charge, and the rest is free again."""
    charge = min(held.abandonment_charge, held.remaining)
    if charge:
        _charge(sheet, held, charge, memo)
    _close(sheet, held, "timed_out")


def check_open(held: Reservation) -> None:
    """Refuse to use a hold that has ended."""
    if held.status != "open":
        raise refusals.HoldClosed(f"The hold was {held.status.replace('_', ' ')} before.", hold_id=held.id,
                                  hold_status=held.status)  # fmt: skip


def _charge(sheet: Sheet, held: Reservation, amount: Decimal, memo: Memo) -> Movement:
    draws = [(lot_id, -part) for lot_id, part in _unreserve(sheet, held, amount)]
    for lot_id, part in draws:
        sheet.change_lot(sheet.lots_by_id[lot_id], remaining=part)
    sheet.held -= amount
    held.captured += amount
    held.changed = True
    return move(sheet, TransactionKind.CAPTURE, -amount, Counterparty.USAGE, draws, memo, hold_id=held.id)


def _close(sheet: Sheet, held: Reservation, status: str) -> None:
    freed = held.remaining
    sheet.held -= freed
    _unreserve(sheet, held, freed)
    held.status = status
    held.closed_at = sheet.at
    held.changed = sheet.touched = True
    # One that timed out let go when its time was up, however late that is settled.
    moment = min(held.expires_at, sheet.at)
    collect_debt(sheet, list(sheet.lots), Memo(SYSTEM), most=freed, moment=moment)


def _unreserve(sheet: Sheet, held: Reservation, amount: Decimal) -> Draws:
    """Free the hold's reservations up to an amount, first reserved first. Returns what was freed of each lot."""
    freed: Draws = []
    kept: Draws = []
    for lot_id, reserved in held.lots:
        part = min(reserved, amount)
        if part:
            sheet.change_lot(sheet.lots_by_id[lot_id], held=-part)
            freed.append((lot_id, part))
            amount -= part
        if reserved > part:
            kept.append((lot_id, reserved - part))
    held.lots = kept
    return freed
