"""Credits whose payment was taken back or is disputed."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from credits import plan
from credits.plan import Memo, Movement
from credits.services import history
from credits.services.corrections import account_of
from credits.services.locks import lock_account
from credits.services.once import Once, money
from credits.services.postings import post


@money
def take_back(
    once: Once | None,
    /,
    *,
    bought: UUID,
    total: Decimal,
    memo: Memo,
    frozen: bool = False,
    at: datetime | None = None,
) -> Movement | None:
    """Take back ``total``, in all, of the credits that a movement brought; freeze what is left of its lot, or thaw it.

    Cumulative: what was taken before counts, and a smaller total gives back, so the caller says what is so and not what
    to do about it. What was spent of the lot becomes debt, which new credits repay first; what expired does not.
    Returns the movement, or None where nothing had to move.
    Raises UnknownTransaction, NotReversible (it brought no lot), InvalidField, AccountClosed, BalanceLimit, Busy.
    """
    account = account_of(bought)
    sheet = lock_account(account, once=once, at=at)
    if not sheet.complete:
        history.load_open_holds({account: sheet})
    posted = history.load_posted({account: sheet}, [bought])[bought]
    history.load_expired(posted, plan.lot_of(posted.movement), sheet)
    movement = plan.take_back(sheet, posted, total, memo, frozen=frozen)
    plan.expire_lots(sheet)
    return post([sheet], movement, once)
