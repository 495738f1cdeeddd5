"""What lots gain and lose, and the one function that plans a movement.

Each function changes the sheet and returns the draws it made. Callers refuse first and change afterwards, so a refused
item of a batch leaves the sheet as it was.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from heapq import nsmallest
from uuid import UUID

from uuid_utils.compat import uuid7

from credits import refusals
from credits.amounts import say
from credits.models.accounts import AccountStatus
from credits.models.fields import MAX_AMOUNT, MAX_BALANCE
from credits.models.transactions import Counterparty, TransactionKind
from credits.plan import quotas
from credits.plan.quotas import Wanted
from credits.plan.state import NO_CHARGE, ZERO, Charge, Draws, Lot, Memo, Movement, Sheet

ABOUT_TO_EXPIRE = timedelta(days=30)

# One reference causes one movement of a family: a payment credits once, whatever the credits are called; a trace is
# charged once, at once or by a capture.
FAMILIES = {
    TransactionKind.TOPUP: "credit",
    TransactionKind.PLAN: "credit",
    TransactionKind.TRIAL: "credit",
    TransactionKind.PROMOTION: "credit",
    TransactionKind.ORDER: "credit",
    TransactionKind.USAGE: "charge",
    TransactionKind.CAPTURE: "charge",
}


CHARGES = {TransactionKind.USAGE, TransactionKind.CAPTURE}


def family(kind: str) -> str:
    """Return the family of movements of which a reference causes one."""
    return FAMILIES.get(TransactionKind(kind), kind)


def check_amount(sheet: Sheet, amount: Decimal, field: str = "amount") -> None:
    """Refuse an amount that is not positive, not finite, too large, or finer than the unit."""
    if not amount.is_finite():
        raise refusals.InvalidField(field, "The amount must be a finite number.")
    if amount <= 0:
        raise refusals.InvalidField(field, "The amount must be greater than zero.")
    if amount > MAX_AMOUNT:
        raise refusals.InvalidField(field, f"The amount must not exceed {say(MAX_AMOUNT)}.")
    check_step(sheet.owner.unit, sheet.decimal_places, amount, field)


def check_step(unit: str, decimal_places: int, amount: Decimal, field: str) -> None:
    """Refuse an amount that is finer than its unit. Nothing is ever rounded."""
    if amount % Decimal(1).scaleb(-decimal_places):
        raise refusals.InvalidField(field, f"The amount is finer than {unit} allows ({decimal_places} decimal places).")


def check_can_give(sheet: Sheet) -> None:
    """Refuse to take credits from an account that is frozen or closed."""
    if sheet.status == AccountStatus.FROZEN:
        raise refusals.AccountFrozen("The account is frozen: credits can be added but not spent.")
    check_not_closed(sheet)


def check_not_closed(sheet: Sheet) -> None:
    """Refuse any movement of a closed account."""
    if sheet.status == AccountStatus.CLOSED:
        raise refusals.AccountClosed("The account is closed.")


def check_room(sheet: Sheet, amount: Decimal) -> None:
    """Refuse a credit that the balance column could not hold."""
    if sheet.balance + amount > MAX_BALANCE:
        raise refusals.BalanceLimit(f"The balance may not exceed {say(MAX_BALANCE)}.")


def check_debt(sheet: Sheet, owed: Decimal) -> None:
    """Refuse a debt that the column could not hold."""
    if sheet.debt + owed > MAX_BALANCE:
        raise refusals.BalanceLimit(f"The debt may not exceed {say(MAX_BALANCE)}.")


def short(
    sheet: Sheet, needed: Decimal, available: Decimal, detail: str | None = None, *, movable: bool = False
) -> refusals.InsufficientCredits:
    """Explain a shortage: what was needed, what there is, what is held and which lots are about to expire."""
    horizon = sheet.at + ABOUT_TO_EXPIRE
    expiring = (
        (lot.id, lot.free, lot.expires_at)
        for lot in sheet.lots
        if lot.expires_at and lot.expires_at <= horizon and lot.free and (lot.transferable or not movable)
    )
    return refusals.InsufficientCredits(
        needed=needed,
        available=max(available, ZERO),
        balance=sheet.balance,
        held=sheet.held,
        expiring=nsmallest(5, expiring, key=lambda row: row[2]),
        detail=detail,
        unit=sheet.owner.unit,
    )


def take(sheet: Sheet, amount: Decimal, *, lots: list[Lot] | None = None) -> tuple[Draws, Decimal]:
    """Take from the free parts of the lots in their order. Returns the draws and what the lots could not cover."""
    chosen: list[tuple[Lot, Decimal]] = []
    for lot in sheet.lots if lots is None else lots:
        if not amount:
            break
        part = min(lot.free, amount)
        if part:
            chosen.append((lot, part))
            amount -= part
    # An emptied lot leaves the sheet's list, so the lots change after the walk.
    for lot, part in chosen:
        sheet.change_lot(lot, remaining=-part)
    return [(lot.id, -part) for lot, part in chosen], amount


def open_lot(sheet: Sheet, lot: Lot) -> Draws:
    """Put a new lot on the sheet."""
    lot.is_new = True
    lot.opening_sequence = sheet.sequence + 1
    sheet.place(lot)
    sheet.due(lot.expires_at)
    return [(lot.id, lot.remaining)]


def give_back(sheet: Sheet, amount: Decimal, draws: Draws, returned: dict[UUID, Decimal]) -> Draws:
    """Return an amount to the lots it was drawn from, last drawn first.

    What was spent beyond the lots reduces what is overdrawn; beyond that it opens a lot of its own.
    """
    back: Draws = []
    uncovered = amount
    for lot_id, drawn in reversed(draws):
        lot = sheet.lots_by_id[lot_id]
        room = min(-drawn - returned.get(lot_id, ZERO), lot.amount - lot.remaining, uncovered)
        if room > 0:
            sheet.change_lot(lot, remaining=room)
            back.append((lot_id, room))
            uncovered -= room
    extra = uncovered - sheet.overdrawn
    # The overdraft this repaid was paid by a later lot; give_back may have refilled lots, so count before the balance.
    extra += sum((part for _, part in back), ZERO)
    if extra > 0:
        # Which of the later lots covered it is not told apart, so it may not be moved on as if it were paid for.
        back += open_lot(sheet, Lot(uuid7(), extra, extra, ZERO, "paid", transferable=False, source="refund"))
    return back


def move(
    sheet: Sheet,
    kind: TransactionKind,
    amount: Decimal,
    counterparty: str,
    draws: Draws,
    memo: Memo,
    *,
    debt: Decimal = ZERO,
    parent_id: UUID | None = None,
    hold_id: UUID | None = None,
    charge: Charge = NO_CHARGE,
) -> Movement:
    """Plan one movement: the balance changes by the amount and the debt by ``debt``; the lots have changed already.

    A charge counts in the quotas that it falls under.
    """
    before = sheet.balance
    sheet.balance += amount
    sheet.debt += debt
    sheet.sequence += 1
    sheet.touched = True
    if sheet.overdrawn > 0:
        covered, _ = take(sheet, sheet.overdrawn)
        draws = _merged(draws, covered)
    movement = Movement(
        uuid7(), sheet.owner, sheet.sequence, kind, amount, before, sheet.balance, debt, counterparty, draws, memo,
        parent_id, hold_id, sheet.at, sheet.calendar.day(sheet.at), charge,
    )  # fmt: skip
    sheet.movements.append(movement)
    if kind in CHARGES and sheet.quotas:
        quotas.count(sheet, Wanted(memo.feature, debt - amount, charge.quantity))
    if memo.reference_id:
        sheet.references[memo.reference_type, memo.reference_id, family(kind)] = movement
    return movement


def collect_debt(
    sheet: Sheet, lots: list[Lot], memo: Memo, *, most: Decimal | None = None, moment: datetime | None = None
) -> None:
    """Let credits that came in or came free repay the account's debt, before anything else is drawn on them.

    Takes from these lots only, no more than ``most``, and nothing of a lot that had lapsed by ``moment`` (now): what
    could not be spent can not repay either.
    """
    if not sheet.debt:
        return
    able = [lot for lot in lots if not lot.lapsed(moment or sheet.at)]
    free = sum((lot.free for lot in able), ZERO)
    owed = min(sheet.debt, free, max(sheet.balance - sheet.held, ZERO), sheet.debt if most is None else most)
    if owed > 0:
        draws, _ = take(sheet, owed, lots=able)
        repays = Memo(
            memo.actor,
            description="Repays credits that were taken back after they were spent",
            request_id=memo.request_id,
        )
        move(sheet, TransactionKind.CLAWBACK, -owed, Counterparty.CHARGEBACKS, draws, repays, debt=-owed)


def known(
    sheet: Sheet,
    kind: TransactionKind,
    memo: Memo,
    amount: Decimal | None,
    *,
    parent_id: UUID | None = None,
    hold_id: UUID | None = None,
) -> Movement | None:
    """Return the movement that this reference caused before, if it did; refuse if that was another one.

    Another kind, another parent or hold, or another amount (None asks for all that is left, whatever that was).
    """
    if not memo.reference_id:
        return None
    earlier = sheet.references.get((memo.reference_type, memo.reference_id, family(kind)))
    if earlier is None:
        return None
    # What could not be taken and is owed was asked for too.
    asked = earlier.amount - earlier.debt
    same = (earlier.kind, earlier.parent_id, earlier.hold_id) == (kind, parent_id, hold_id)
    if not same or amount not in (None, asked):
        raise refusals.ReferenceConflict(
            f"{memo.reference_type or 'Reference'} {memo.reference_id} caused another movement"
            f" before: a {earlier.kind} of {say(abs(asked))}.",
            transaction_id=earlier.id,
        )
    return earlier


def _merged(draws: Draws, more: Draws) -> Draws:
    """Sum two lists of draws by lot, in the order lots first appear, without those that cancel out."""
    total: dict[UUID, Decimal] = {}
    for lot_id, part in [*draws, *more]:
        total[lot_id] = total.get(lot_id, ZERO) + part
    return [(lot_id, part) for lot_id, part in total.items() if part]
