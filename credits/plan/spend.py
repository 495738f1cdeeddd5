"""Credits that are used: at once, or set aside first and captured."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal

from uuid_utils.compat import uuid7

from credits import refusals
from credits.amounts import say
from credits.models.transactions import Counterparty, TransactionKind
from credits.plan import quotas
from credits.plan.lots import (
    check_amount,
    check_can_give,
    check_debt,
    check_not_closed,
    collect_debt,
    family,
    known,
    move,
    short,
    take,
)
from credits.plan.pricing import PriceBook, Tariff, Usage, check_usage, cost, counted, price
from credits.plan.quotas import Wanted
from credits.plan.state import ONE_USE, SYSTEM, ZERO, Charge, Draws, Memo, Movement, Reservation, Sheet


def spend(sheet: Sheet, amount: Decimal, memo: Memo, charge: Charge = ONE_USE) -> Movement:
    """Plan a spend, drawn on the lots in their order and then on the overdraft, within the account's quotas."""
    check_amount(sheet, amount)
    earlier = known(sheet, TransactionKind.USAGE, memo, -amount)
    if earlier is not None:
        return earlier
    return _spend(sheet, amount, memo, charge)


def use(sheet: Sheet, book: PriceBook, usage: Usage, memo: Memo) -> Movement:
    """Plan the charge for a use, at the price that is in force. A reference charges the same use once, at any price."""
    earlier = known(sheet, TransactionKind.USAGE, memo, None)
    if earlier is not None:
        if earlier.charge.usage != usage.told() or earlier.memo.feature != memo.feature:
            raise refusals.ReferenceConflict(
                f"{memo.reference_type} {memo.reference_id} charged another use before.", transaction_id=earlier.id
            )
        return earlier
    amount, charge = price(sheet, book, usage)
    check_amount(sheet, amount)
    return _spend(sheet, amount, memo, charge)


def _spend(sheet: Sheet, amount: Decimal, memo: Memo, charge: Charge) -> Movement:
    held = sheet.hold_references.get((memo.reference_type, memo.reference_id)) if memo.reference_id else None
    if held is not None and (held.status == "open" or held.captured):
        raise refusals.ReferenceConflict(
            f"{memo.reference_type} {memo.reference_id} is charged by a hold: capture that.", hold_id=held.id
        )
    check_can_give(sheet)
    warnings = quotas.check(sheet, Wanted(memo.feature, amount, charge.quantity))
    if amount > sheet.available:
        raise short(sheet, amount, sheet.available)
    draws, _ = take(sheet, amount)
    movement = move(sheet, TransactionKind.USAGE, -amount, Counterparty.USAGE, draws, memo, charge=charge)
    movement.warnings = warnings
    return movement


def charge_more(sheet: Sheet, original: Movement, amount: Decimal, memo: Memo, tariff: int) -> Movement:
    """Plan what a use cost beyond what was charged for it. What the account cannot pay of it is owed."""
    check_amount(sheet, amount)
    check_not_closed(sheet)
    payable = min(max(sheet.balance - sheet.held, ZERO), amount)
    check_debt(sheet, amount - payable)
    draws, _ = take(sheet, payable)
    return move(
        sheet,
        TransactionKind.USAGE,
        -payable,
        Counterparty.USAGE,
        draws,
        memo,
        debt=amount - payable,
        parent_id=original.id,
        charge=Charge(ZERO, tariff),
    )


def hold(
    sheet: Sheet,
    amount: Decimal,
    memo: Memo,
    *,
    lasting: timedelta,
    abandonment_charge: Decimal = ZERO,
    charge: Charge = ONE_USE,
) -> Reservation:
    """Plan a hold: the lots that would be spent now are reserved for it, and its place in the account's quotas."""
    check_amount(sheet, amount)
    if abandonment_charge:
        check_amount(sheet, abandonment_charge, "abandonment_charge")
    if abandonment_charge > amount:
        raise refusals.InvalidField("abandonment_charge", "The abandonment charge must not exceed the hold.")
    earlier = _held_before(sheet, amount, memo)
    if earlier is not None:
        return earlier
    check_can_give(sheet)
    quotas.check(sheet, Wanted(memo.feature, amount, charge.quantity))
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
        charge=charge,
        is_new=True,
    )
    sheet.holds[planned.id] = planned
    if memo.reference_id:
        sheet.hold_references[memo.reference_type, memo.reference_id] = planned
    sheet.due(expires_at)
    sheet.touched = True
    return planned


def _held_before(sheet: Sheet, amount: Decimal, memo: Memo) -> Reservation | None:
    """Return the open hold that this reference placed before; refuse if that was another one, or it charged at once."""
    earlier = sheet.hold_references.get((memo.reference_type, memo.reference_id))
    if earlier is not None:
        if (earlier.amount, earlier.memo.feature) != (amount, memo.feature):
            raise refusals.ReferenceConflict(
                f"{memo.reference_id} held {say(earlier.amount)} before.", hold_id=earlier.id
            )
        check_open(earlier)
        return earlier
    charged = sheet.references.get((memo.reference_type, memo.reference_id, family(TransactionKind.USAGE)))
    if memo.reference_id and charged is not None:
        raise refusals.ReferenceConflict(
            f"{memo.reference_type} {memo.reference_id} was charged before.", transaction_id=charged.id
        )
    return None


def hold_for_use(
    sheet: Sheet, book: PriceBook, usage: Usage, memo: Memo, *, lasting: timedelta, abandoned_percent: Decimal
) -> Reservation:
    """Plan a hold for the worst case of a use whose end is not known, at the price in force, which it pins.

    Nobody coming back for it costs ``abandoned_percent`` of the worst case, rounded up to the unit's step.
    """
    earlier = sheet.hold_references.get((memo.reference_type, memo.reference_id))
    if earlier is not None:
        if earlier.charge.usage != usage.told() or earlier.memo.feature != memo.feature:
            raise refusals.ReferenceConflict(
                f"{memo.reference_type} {memo.reference_id} held for another use before.", hold_id=earlier.id
            )
        check_open(earlier)
        return earlier
    amount, charge = price(sheet, book, usage)
    if charge.unpriced:
        raise refusals.UnknownPrice(f"There is no price for {usage.subject}, so there is no worst case to hold.")
    step = Decimal(1).scaleb(-sheet.decimal_places)
    abandoned = (amount * abandoned_percent / 100).quantize(step, rounding=ROUND_CEILING)
    return hold(sheet, amount, memo, lasting=lasting, abandonment_charge=abandoned, charge=charge)


def capture(
    sheet: Sheet,
    held: Reservation,
    amount: Decimal | None,
    memo: Memo,
    *,
    final: bool = False,
    usage: Usage | None = None,
    tariff: Tariff | None = None,
) -> Movement:
    """Plan a charge of a held amount, by default all that is left. ``final`` frees the rest.

    With ``usage`` the amount is what that costs by ``tariff``, the price that the hold was placed at.
    """
    quantity = held.charge.quantity - held.captured_quantity
    if usage is not None:
        if tariff is None:
            raise refusals.InvalidField("usage", "The hold was placed for an amount: capture an amount of it.")
        usage = replace(usage, feature=held.memo.feature, model=held.charge.usage.get("model", ""))
        check_usage(usage)
        amount = cost(tariff, usage, sheet.decimal_places)
        quantity = min(counted(usage), quantity)
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
    charge = Charge(quantity, held.charge.price, usage.told() if usage else {})
    movement = _charge(sheet, held, amount, memo, charge)
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
    amount = min(held.abandonment_charge, held.remaining)
    if amount:
        quantity = held.charge.quantity - held.captured_quantity
        _charge(sheet, held, amount, memo, Charge(quantity, held.charge.price))
    _close(sheet, held, "timed_out")


def check_open(held: Reservation) -> None:
    """Refuse to use a hold that has ended, or that nobody placed: a freeze ends with its dispute."""
    if held.freezes is not None:
        raise refusals.HoldIsFreeze("It freezes a lot whose payment is disputed.", hold_id=held.id)
    if held.status != "open":
        raise refusals.HoldClosed(f"The hold was {held.status.replace('_', ' ')} before.", hold_id=held.id,
                                  hold_status=held.status)  # fmt: skip


def _charge(sheet: Sheet, held: Reservation, amount: Decimal, memo: Memo, charge: Charge) -> Movement:
    draws = [(lot_id, -part) for lot_id, part in unreserve(sheet, held, amount)]
    for lot_id, part in draws:
        sheet.change_lot(sheet.lots_by_id[lot_id], remaining=part)
    sheet.held -= amount
    held.captured += amount
    held.captured_quantity += charge.quantity
    held.changed = True
    return move(
        sheet, TransactionKind.CAPTURE, -amount, Counterparty.USAGE, draws, memo, hold_id=held.id, charge=charge
    )


def _close(sheet: Sheet, held: Reservation, status: str) -> None:
    freed = held.remaining
    sheet.held -= freed
    unreserve(sheet, held, freed)
    held.status = status
    held.closed_at = sheet.at
    held.changed = sheet.touched = True
    # One that timed out let go when its time was up, however late that is settled.
    moment = min(held.expires_at, sheet.at)
    collect_debt(sheet, list(sheet.lots), Memo(SYSTEM), most=freed, moment=moment)


def unreserve(sheet: Sheet, held: Reservation, amount: Decimal) -> Draws:
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
