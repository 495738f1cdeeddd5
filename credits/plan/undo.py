"""Movements that answer an earlier one: refunds of spends, and reversals."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from uuid import UUID

from credits import refusals
from credits.amounts import say
from credits.models.transactions import Counterparty, TransactionKind
from credits.plan import quotas
from credits.plan.lots import (
    check_amount,
    check_debt,
    check_not_closed,
    check_room,
    collect_debt,
    give_back,
    known,
    move,
    short,
)
from credits.plan.quotas import Wanted
from credits.plan.state import ZERO, Charge, Draws, Lot, Memo, Movement, Posted, Sheet

SPENDS = {TransactionKind.USAGE, TransactionKind.CAPTURE}
Leg = tuple[Sheet, Posted]
FINAL = {TransactionKind.REVERSAL, TransactionKind.EXPIRY, TransactionKind.CLAWBACK}


def refund(sheet: Sheet, spent: Posted, amount: Decimal | None, memo: Memo) -> Movement:
    """Plan the return of a spend, or of a part, to the lots it was drawn from; by default all that is left of it."""
    original = spent.movement
    if amount is not None:
        check_amount(sheet, amount)
    earlier = known(sheet, TransactionKind.REFUND, memo, amount, parent_id=original.id)
    if earlier is not None:
        return earlier
    if original.kind not in SPENDS:
        raise refusals.NotRefundable(f"A {original.kind} is not a spend; reverse it instead.", kind=original.kind)
    left = ZERO if spent.reversed else -original.amount - spent.given_back
    amount = left if amount is None else amount
    if amount > left or not left:
        raise refusals.RefundExceedsSpend(
            f"{say(amount)} cannot be refunded: {say(left)} is left of the spend.",
            spent=-original.amount,
            refunded=-original.amount - left,
            refundable=left,
        )
    check_not_closed(sheet)
    check_room(sheet, amount)
    draws = give_back(sheet, amount, original.draws, spent.by_lot)
    # Uses are given back with the last of what they cost.
    quantity = original.charge.quantity - spent.quantity_back if amount == left else ZERO
    memo = replace(memo, feature=memo.feature or original.memo.feature)
    quotas.give_back(sheet, original, Wanted(original.memo.feature, amount, quantity))
    movement = move(
        sheet,
        TransactionKind.REFUND,
        amount,
        Counterparty.USAGE,
        draws,
        memo,
        parent_id=original.id,
        charge=Charge(quantity),
    )
    _remember(spent, movement.draws, amount)
    spent.quantity_back += quantity
    collect_debt(sheet, _lots_of(sheet, draws), memo)
    return movement


def reverse(
    sheet: Sheet, posted: Posted, memo: Memo, *, other_leg: Leg | None = None, allow_debt: bool = False
) -> tuple[Movement, Movement | None]:
    """Plan the opposite of a whole movement, once; of a transfer, of both legs.

    Credits that came in are taken back from the lot they opened. Where they are spent already the reversal is refused,
    or with ``allow_debt`` takes what is there and leaves the rest as debt.
    """
    original = posted.movement
    earlier = known(sheet, TransactionKind.REVERSAL, memo, None, parent_id=original.id)
    if earlier is not None:
        return earlier, None
    if original.kind in FINAL:
        raise refusals.NotReversible(f"A {original.kind} is final.", kind=original.kind)
    if posted.clawed:
        raise refusals.NotReversible(
            f"{say(posted.clawed)} of it were clawed back with the payment.", kind=original.kind
        )
    if posted.reversed or (original.kind in SPENDS and posted.given_back == -original.amount):
        raise refusals.AlreadyReversed("The movement was reversed or refunded in full before.")
    if posted.parent_reversed:
        raise refusals.AlreadyReversed("The spend that this refunds was reversed before.")
    check_not_closed(sheet)
    if original.kind == TransactionKind.TRANSFER:
        if allow_debt:
            raise refusals.InvalidField("allow_debt", "A transfer is undone on both sides or not at all.")
        return _reverse_transfer((sheet, posted), other_leg, memo)
    if original.amount < 0 or original.debt > 0:
        # What was owed and has been repaid since is given back; what is still owed is forgiven.
        forgiven = min(original.debt, sheet.debt)
        back = -original.amount - posted.given_back + original.debt - forgiven
        check_room(sheet, back)
        return _undo_loss(sheet, posted, back, memo, forgiven=forgiven), None
    return _undo_gain(sheet, posted, memo, allow_debt=allow_debt), None


def take_left(sheet: Sheet, posted: Posted, amount: Decimal, memo: Memo) -> Movement:
    """Plan an adjustment that takes an amount from the lots that a movement filled, and from no other."""
    check_amount(sheet, amount)
    if not memo.reason:
        raise refusals.InvalidField("reason", "An adjustment needs a reason.")
    earlier = known(sheet, TransactionKind.ADJUSTMENT, memo, -amount)
    if earlier is not None:
        return earlier
    if posted.reversed:
        raise refusals.AlreadyReversed("The movement was reversed before.")
    check_not_closed(sheet)
    there = _still_there(sheet, posted.movement)
    left = min(sum((part for _, part in there), ZERO), max(sheet.balance - sheet.held, ZERO))
    if amount > left:
        brought = say(posted.movement.amount)
        raise short(sheet, amount, left, f"The movement brought {brought}; {say(left)} of it is left to take back.")
    draws = _draw(sheet, there, amount)
    return move(sheet, TransactionKind.ADJUSTMENT, -amount, Counterparty.ADJUSTMENTS, draws, memo)


def _reverse_transfer(leg: Leg, other_leg: Leg | None, memo: Memo) -> tuple[Movement, Movement]:
    if other_leg is None:
        raise refusals.NotReversible("The transfer's other leg is not known.")
    (giver, out), (gainer, into) = (leg, other_leg) if leg[1].movement.amount < 0 else (other_leg, leg)
    check_not_closed(giver)
    check_not_closed(gainer)
    check_room(giver, -out.movement.amount)
    taken = _undo_gain(gainer, into, memo, allow_debt=False)
    given = _undo_loss(giver, out, -out.movement.amount, memo, forgiven=ZERO)
    return (given, taken) if leg[1] is out else (taken, given)


def _undo_loss(sheet: Sheet, posted: Posted, amount: Decimal, memo: Memo, *, forgiven: Decimal) -> Movement:
    original = posted.movement
    draws = give_back(sheet, amount, original.draws, posted.by_lot)
    posted.reversed = True
    quantity = original.charge.quantity - posted.quantity_back
    if original.kind in SPENDS:
        memo = replace(memo, feature=memo.feature or original.memo.feature)
        quotas.give_back(sheet, original, Wanted(original.memo.feature, amount + forgiven, quantity))
    movement = move(
        sheet,
        TransactionKind.REVERSAL,
        amount,
        original.counterparty,
        draws,
        memo,
        debt=-forgiven,
        parent_id=original.id,
        charge=Charge(quantity),
    )
    collect_debt(sheet, _lots_of(sheet, draws), memo)
    return movement


def _undo_gain(sheet: Sheet, posted: Posted, memo: Memo, *, allow_debt: bool) -> Movement:
    original = posted.movement
    there = _still_there(sheet, original)
    if original.kind == TransactionKind.REFUND:
        # The spend stands again, and is paid like one: what the refund gave to an overdraft is in no lot to be found.
        given = {lot_id for lot_id, _ in there}
        there += [(lot.id, lot.free) for lot in sheet.lots if lot.id not in given]
    payable = max(sheet.balance - sheet.held, ZERO)
    takeable = min(sum((part for _, part in there), ZERO), payable, original.amount)
    if takeable < original.amount and not allow_debt:
        raise short(
            sheet,
            original.amount,
            takeable,
            f"The movement brought {say(original.amount)}; {say(takeable)} of it is left to take back.",
        )
    owed = original.amount - takeable
    check_debt(sheet, owed)
    draws = _draw(sheet, there, takeable)
    posted.reversed = True
    return move(
        sheet,
        TransactionKind.REVERSAL,
        -takeable,
        original.counterparty,
        draws,
        memo,
        debt=owed,
        parent_id=original.id,
    )


def _draw(sheet: Sheet, there: Draws, amount: Decimal) -> Draws:
    draws: Draws = []
    for lot_id, part in there:
        part_taken = min(part, amount)
        if part_taken:
            sheet.change_lot(sheet.lots_by_id[lot_id], remaining=-part_taken)
            draws.append((lot_id, -part_taken))
            amount -= part_taken
    return draws


def _lots_of(sheet: Sheet, draws: Draws) -> list[Lot]:
    return [sheet.lots_by_id[lot_id] for lot_id, _ in draws]


def _still_there(sheet: Sheet, original: Movement) -> Draws:
    """Tell what the lots a movement filled still have free of it."""
    return [(lot_id, min(part, sheet.lots_by_id[lot_id].free)) for lot_id, part in original.draws if part > 0]


def _remember(spent: Posted, draws: Draws, amount: Decimal) -> None:
    spent.given_back += amount
    returned: dict[UUID, Decimal] = spent.by_lot
    for lot_id, part in draws:
        returned[lot_id] = returned.get(lot_id, ZERO) + part
