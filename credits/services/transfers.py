"""Credits from one account to another."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from credits import plan, refusals
from credits.plan import Memo, Movement
from credits.services import history
from credits.services.locks import known, lock_accounts
from credits.services.once import Once, money
from credits.services.postings import post


@money
def transfer_credits(
    once: Once | None,
    /,
    *,
    source: UUID,
    target: UUID,
    amount: Decimal,
    memo: Memo,
    absent_is_empty: bool = False,
    at: datetime | None = None,
) -> tuple[Movement, Movement]:
    """Move credits between two accounts of one unit: both or neither. Lots keep their category, priority and expiry.

    Both accounts are locked, in id order. Lots that are not transferable stay. Returns the leg out and the leg in.
    With ``absent_is_empty`` a source never opened is short, not unknown.
    Raises UnknownAccount, AccountFrozen, AccountClosed, InsufficientCredits, InvalidField, ReferenceConflict, Busy.
    """
    sheets = lock_accounts([source, target], once=once, at=at)
    if absent_is_empty and source not in sheets:
        raise refusals.empty(amount)
    known(sheets, source)
    if target not in sheets:
        raise refusals.UnknownAccount("There is no such account to transfer to.")
    history.load_references(sheets, [(source, memo), (target, memo)])
    legs = plan.transfer(sheets[source], sheets[target], amount, memo)
    return post(sheets.values(), legs, once)
