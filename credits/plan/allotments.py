"""Credits that an account is allotted each period: which period is due, and what it brings."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from credits.amounts import grouped
from credits.models.accounts import AccountStatus
from credits.models.fields import MAX_BALANCE
from credits.models.grants import GrantCategory
from credits.models.transactions import Counterparty, TransactionKind
from credits.plan.credit import LotTerms, bring_in
from credits.plan.lots import move
from credits.plan.state import SYSTEM, ZERO, Lot, Memo, Sheet, StandingOrder
from credits.plan.windows import boundary

REFERENCE = "allotment"
# How the movement begins that takes what does not roll over.
BEYOND = "Beyond the"


def starts_at(order: StandingOrder, period: int) -> datetime:
    """Return the moment at which a period of an order begins."""
    return boundary(order.anchor, period, ZoneInfo(order.zone), months=order.months)


def next_order(sheet: Sheet) -> StandingOrder | None:
    """Return the order whose next period fell due first, if one did that the account can still take."""
    if sheet.status == AccountStatus.CLOSED:
        return None
    due = [
        order
        for order in sheet.orders
        if order.next_at is not None
        and order.next_at <= sheet.at
        and sheet.balance + max(order.amount, order.first_amount or ZERO) <= MAX_BALANCE
    ]
    return min(due, key=lambda order: (order.next_at, order.id), default=None)


def issue(sheet: Sheet, order: StandingOrder) -> None:
    """Plan the credits of an order's next period, and move on to the one after it.

    Without rollover they expire with their period. With it, what is left of earlier ones is first cut down to the cap.
    """
    period, begins = order.next_period, starts_at(order, order.next_period)
    ends = starts_at(order, period + 1)
    if order.rollover_cap is not None:
        _cut_down(sheet, order.rollover_cap, order.covered if period == order.first_period else ZERO)
    amount = order.amount
    if period == order.first_period and order.first_amount is not None:
        amount = order.first_amount
    if amount:
        terms = LotTerms(GrantCategory.PLAN, order.priority, ends if order.rollover_cap is None else None)
        day = begins.astimezone(ZoneInfo(order.zone)).date()
        memo = Memo(
            SYSTEM,
            description=f"{order.description}, period from {day:%Y-%m-%d}".removeprefix(", "),
            reference_type=REFERENCE,
            reference_id=f"{order.id}:{period}",
        )
        bring_in(sheet, amount, TransactionKind.PLAN, Counterparty.SALES, terms, memo, moment=begins)
    order.next_period = period + 1
    order.next_at = None if order.ends_at is not None and ends >= order.ends_at else ends
    order.changed = sheet.touched = True


def beyond_cap(sheet: Sheet, cap: Decimal, covered: Decimal) -> Decimal:
    """Return how much of what was allotted lapses when a period begins: what is beyond the cap and free.

    ``covered`` of it is meant for the period that begins, so that it is no rest of an earlier one.
    """
    rolling = _rolling(sheet)
    excess = sum((lot.remaining for lot in rolling), ZERO) - cap - covered
    return max(min(excess, sum((lot.free for lot in rolling), ZERO), sheet.available), ZERO)


def _cut_down(sheet: Sheet, cap: Decimal, covered: Decimal) -> None:
    """Let what is left of allotted lots beyond the cap expire, the oldest first. What holds reserve stays."""
    excess = beyond_cap(sheet, cap, covered)
    for lot in _rolling(sheet):
        gone = min(lot.free, excess)
        if gone > 0:
            excess -= gone
            sheet.change_lot(lot, remaining=-gone)
            memo = Memo(SYSTEM, description=f"{BEYOND} {grouped(cap)} that roll over")
            move(sheet, TransactionKind.EXPIRY, -gone, Counterparty.EXPIRED, [(lot.id, -gone)], memo)


def _rolling(sheet: Sheet) -> list[Lot]:
    """Return the allotted lots that roll over, the oldest first."""
    return sorted((lot for lot in sheet.lots if rolls(lot)), key=lambda lot: lot.id)


def rolls(lot: Lot) -> bool:
    """Tell whether a lot rolls over from month to month, as far as its plan's cap goes."""
    return lot.expires_at is None and _is_allotted(lot)


def _is_allotted(lot: Lot) -> bool:
    """Tell whether a lot came from an order. The words of its source alone may be a caller's."""
    return lot.category == GrantCategory.PLAN and lot.source.startswith(f"{REFERENCE}:")
