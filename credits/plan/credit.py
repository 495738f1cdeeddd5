"""Credits that come in: added lots, adjustments and transfers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from uuid_utils.compat import uuid7

from credits import refusals
from credits.amounts import say
from credits.models.grants import GrantCategory
from credits.models.transactions import Counterparty, TransactionKind
from credits.plan.lots import (
    check_amount,
    check_can_give,
    check_debt,
    check_not_closed,
    check_room,
    collect_debt,
    known,
    move,
    open_lot,
    short,
    take,
)
from credits.plan.state import ZERO, Draws, Lot, Memo, Movement, Sheet

KIND_OF_CATEGORY = {
    GrantCategory.PAID: TransactionKind.TOPUP,
    GrantCategory.PLAN: TransactionKind.PLAN,
    GrantCategory.TRIAL: TransactionKind.TRIAL,
    GrantCategory.PROMOTIONAL: TransactionKind.PROMOTION,
}
GIVEN_AWAY = {GrantCategory.TRIAL, GrantCategory.PROMOTIONAL}


@dataclass(frozen=True, slots=True)
class LotTerms:
    """The terms on which credits come in. ``paid_minor`` is what was paid, in minor units of ``paid_currency``."""

    category: GrantCategory = GrantCategory.PAID
    priority: int = 50
    expires_at: datetime | None = None
    transferable: bool = True
    paid_currency: str = ""
    paid_minor: int = 0


ON_TERMS = LotTerms()
GOODWILL = LotTerms(category=GrantCategory.PROMOTIONAL)


def add(
    sheet: Sheet, amount: Decimal, memo: Memo, terms: LotTerms = ON_TERMS, kind: TransactionKind | None = None
) -> Movement:
    """Plan credits that come in as one lot. Frozen accounts may gain; debt is repaid first."""
    check_amount(sheet, amount)
    kind = kind or KIND_OF_CATEGORY[terms.category]
    earlier = known(sheet, kind, memo, amount)
    if earlier is not None:
        return earlier
    check_not_closed(sheet)
    check_room(sheet, amount)
    if terms.expires_at is not None and terms.expires_at <= sheet.at:
        raise refusals.InvalidField("expires_at", "The lot would have expired already.")
    counterparty = Counterparty.PROMOTIONS if terms.category in GIVEN_AWAY else Counterparty.SALES
    return bring_in(sheet, amount, kind, counterparty, terms, memo)


def adjust(
    sheet: Sheet, delta: Decimal, memo: Memo, terms: LotTerms = GOODWILL, *, allow_debt: bool = False
) -> Movement:
    """Plan an adjustment by a difference. Below zero only where ``allow_debt``: the rest is then owed."""
    check_amount(sheet, abs(delta))
    if not memo.reason:
        raise refusals.InvalidField("reason", "An adjustment needs a reason.")
    earlier = known(sheet, TransactionKind.ADJUSTMENT, memo, delta)
    if earlier is not None:
        return earlier
    check_not_closed(sheet)
    if delta > 0:
        check_room(sheet, delta)
        return bring_in(sheet, delta, TransactionKind.ADJUSTMENT, Counterparty.ADJUSTMENTS, terms, memo)
    payable = max(sheet.balance - sheet.held, ZERO)
    if -delta > payable and not allow_debt:
        raise short(sheet, -delta, payable)
    taken = min(-delta, payable)
    check_debt(sheet, -delta - taken)
    draws, _ = take(sheet, taken)
    return move(sheet, TransactionKind.ADJUSTMENT, -taken, Counterparty.ADJUSTMENTS, draws, memo, debt=-delta - taken)


def transfer(source: Sheet, target: Sheet, amount: Decimal, memo: Memo) -> tuple[Movement, Movement]:
    """Plan a transfer: the lots keep their category, priority and expiry; those that may not move stay."""
    check_amount(source, amount)
    if source.id == target.id:
        raise refusals.InvalidField("target", "An account cannot transfer to itself.")
    if source.owner.unit != target.owner.unit:
        raise refusals.InvalidField(
            "target", f"The accounts count different units ({source.owner.unit}, {target.owner.unit})."
        )
    earlier = _transferred(source, target, amount, memo)
    if earlier is not None:
        return earlier
    check_can_give(source)
    check_not_closed(target)
    check_room(target, amount)
    movable = [lot for lot in source.lots if lot.transferable]
    transferable = min(sum((lot.free for lot in movable), ZERO), max(source.balance - source.held, ZERO))
    if amount > transferable:
        raise short(
            source,
            amount,
            transferable,
            f"Insufficient credits: {say(amount)} needed, {say(transferable)} can be transferred.",
            movable=True,
        )
    draws, _ = take(source, amount, lots=movable)
    out = move(source, TransactionKind.TRANSFER, -amount, Counterparty.TRANSFERS, draws, memo)
    lots = [_moved(source.lots_by_id[lot_id], -part) for lot_id, part in draws]
    arrivals: Draws = []
    for lot in lots:
        arrivals += open_lot(target, lot)
    into = move(target, TransactionKind.TRANSFER, amount, Counterparty.TRANSFERS, arrivals, memo, parent_id=out.id)
    collect_debt(target, lots, memo)
    return out, into


def bring_in(
    sheet: Sheet,
    amount: Decimal,
    kind: TransactionKind,
    counterparty: str,
    terms: LotTerms,
    memo: Memo,
    *,
    moment: datetime | None = None,
) -> Movement:
    """Plan a lot that comes in, unchecked. Debt is repaid from it as of ``moment``, by default now."""
    source = f"{memo.reference_type}:{memo.reference_id}" if memo.reference_id else memo.description[:330]
    lot = Lot(
        id=uuid7(),
        amount=amount,
        remaining=amount,
        held=ZERO,
        category=terms.category,
        priority=terms.priority,
        expires_at=terms.expires_at,
        transferable=terms.transferable,
        paid_currency=terms.paid_currency,
        paid_minor=terms.paid_minor,
        source=source,
    )
    movement = move(sheet, kind, amount, counterparty, open_lot(sheet, lot), memo)
    collect_debt(sheet, [lot], memo, moment=moment)
    return movement


def _moved(lot: Lot, part: Decimal) -> Lot:
    """Return the lot that a part of another becomes in the account it moves to; the price paid moves in proportion."""
    return Lot(
        id=uuid7(),
        amount=part,
        remaining=part,
        held=ZERO,
        category=lot.category,
        priority=lot.priority,
        expires_at=lot.expires_at,
        transferable=lot.transferable,
        paid_currency=lot.paid_currency,
        paid_minor=int(lot.paid_minor * part / lot.amount),
        source="transfer",
        origin=lot.id,
    )


def _transferred(source: Sheet, target: Sheet, amount: Decimal, memo: Memo) -> tuple[Movement, Movement] | None:
    """Return both legs of the transfer that this reference caused before; refuse if it was another one."""
    out = known(source, TransactionKind.TRANSFER, memo, -amount)
    into = known(target, TransactionKind.TRANSFER, memo, amount, parent_id=out.id if out else None)
    if (out is None) != (into is None):
        raise refusals.ReferenceConflict(f"{memo.reference_id} moved credits between other accounts before.")
    return (out, into) if out and into else None
