"""What time has done to an account: holds that timed out, lots that expired, credits that were allotted.

Settled at the next touch, in the order in which it fell due: an account that nobody touched for months ends in the same
books as one whose every moment was kept.
"""

from __future__ import annotations

from datetime import datetime

from credits.amounts import grouped
from credits.models.transactions import Counterparty, TransactionKind
from credits.plan import quotas
from credits.plan.allotments import issue, next_order
from credits.plan.lots import move
from credits.plan.spend import time_out
from credits.plan.state import SYSTEM, ZERO, Memo, Sheet


def settle(sheet: Sheet) -> None:
    """Plan everything that fell due by the sheet's moment. Does nothing, fast, where nothing did."""
    if sheet.next_due_at is None or sheet.next_due_at > sheet.at:
        return
    while (order := next_order(sheet)) is not None and order.next_at is not None:
        _settle_until(sheet, order.next_at)
        issue(sheet, order)
    _settle_until(sheet, sheet.at)
    quotas.roll(sheet, sheet.at)
    if sheet.complete:
        sheet.reckon_due()


def _settle_until(sheet: Sheet, moment: datetime) -> None:
    for held in sorted(sheet.holds.values(), key=lambda hold: hold.expires_at):
        if held.status == "open" and held.expires_at <= moment:
            quotas.roll(sheet, held.expires_at)
            time_out(
                sheet,
                held,
                Memo(
                    SYSTEM,
                    feature=held.memo.feature,
                    description=f"Hold timed out: {held.memo.description}"[:500].rstrip(": "),
                    metadata=held.memo.metadata,
                ),
            )
    expire_lots(sheet, moment)


def expire_lots(sheet: Sheet, moment: datetime | None = None) -> None:
    """Plan the expiry of the free part of every lot whose time has come. What holds reserve of it stays."""
    for lot in [lot for lot in sheet.lots if lot.lapsed(moment or sheet.at)]:
        # What the account is overdrawn, or a hold will overdraw, is owed by its lots before they lapse.
        owed = min(max(sheet.overdrawn, ZERO), lot.free)
        gone = min(lot.free - owed, max(sheet.available, ZERO))
        if gone > 0:
            # It pays what it owes itself: were that left to other lots, what has lapsed would stay behind here.
            sheet.change_lot(lot, remaining=-gone - owed)
            description = f"{lot.category.capitalize()} lot of {grouped(lot.amount)} expired"
            move(
                sheet, TransactionKind.EXPIRY, -gone, Counterparty.EXPIRED, [(lot.id, -gone - owed)],
                Memo(SYSTEM, description=description),
            )  # fmt: skip
