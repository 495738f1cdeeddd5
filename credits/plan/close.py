"""What closing an account takes from it."""

from __future__ import annotations

from credits import refusals
from credits.amounts import say
from credits.models.transactions import Counterparty, TransactionKind
from credits.plan.lots import move, take
from credits.plan.state import Memo, Sheet


def close(sheet: Sheet, memo: Memo, *, forfeit: bool) -> None:
    """Plan what is left to be given up, as an adjustment. Raises AccountNotEmpty where that was not asked for.

    It is raised also where credits are held or owed, or the account is overdrawn: that is settled first.
    """
    if sheet.held or sheet.debt or sheet.balance < 0 or (sheet.balance and not forfeit):
        raise refusals.AccountNotEmpty(
            f"The account has a balance of {say(sheet.balance)}, {say(sheet.held)} held, a debt of {say(sheet.debt)}.",
            balance=sheet.balance,
            held=sheet.held,
            debt=sheet.debt,
        )
    if sheet.balance:
        draws, _ = take(sheet, sheet.balance)
        move(sheet, TransactionKind.ADJUSTMENT, -sheet.balance, Counterparty.ADJUSTMENTS, draws, memo)
