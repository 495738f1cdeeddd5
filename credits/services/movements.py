"""Credits in and out of one account: add, spend, adjust."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from credits import plan, refusals
from credits.models import TransactionKind
from credits.plan import LotTerms, Memo, Movement, Owner
from credits.services import history
from credits.services.accounts import NOTHING, insert_account
from credits.services.locks import known, lock_account, lock_accounts
from credits.services.once import Once, money
from credits.services.postings import post


@money
def spend_credits(
    once: Once | None,
    /,
    *,
    account: UUID,
    amount: Decimal,
    memo: Memo,
    absent_is_empty: bool = False,
    at: datetime | None = None,
) -> Movement:
    """Charge an account for use, drawn on its lots by priority, then earliest expiry, then oldest.

    One transaction under the account's lock. A reference in the memo charges once for ever: the same again returns the
    first movement. With ``absent_is_empty`` an account never opened is short, not unknown.
    Raises UnknownAccount, AccountFrozen, AccountClosed, InsufficientCredits, InvalidField, ReferenceConflict, Busy.
    """
    sheets = lock_accounts([account], once=once, at=at)
    if absent_is_empty and not sheets:
        raise refusals.empty(amount)
    sheet = known(sheets, account)
    history.load_references(sheets, [(account, memo)])
    return post([sheet], plan.spend(sheet, amount, memo), once)


@money
def add_credits(
    once: Once | None,
    /,
    *,
    account: UUID,
    amount: Decimal,
    memo: Memo,
    terms: LotTerms = plan.ON_TERMS,
    kind: TransactionKind | None = None,
    owner: Owner | None = None,
    at: datetime | None = None,
) -> Movement:
    """Bring credits in as one lot with its category, priority, expiry and what was paid; debt is repaid first.

    Where an ``owner`` is given, a missing account is opened for it.
    A reference in the memo credits once for ever: the same again returns the first movement.
    Raises UnknownAccount, AccountClosed, BalanceLimit, InvalidField, ReferenceConflict, Busy.
    """
    if owner is not None and not lock_accounts([account], once=once, at=at):
        insert_account(owner, NOTHING, at)
    sheet = lock_account(account, once=once, at=at)
    history.load_references({account: sheet}, [(account, memo)])
    return post([sheet], plan.add(sheet, amount, memo, terms, kind), once)


@money
def adjust_balance(
    once: Once | None,
    /,
    *,
    account: UUID,
    delta: Decimal,
    memo: Memo,
    terms: LotTerms = plan.GOODWILL,
    allow_debt: bool = False,
    at: datetime | None = None,
) -> Movement:
    """Change a balance by a difference, with a reason in the memo.

    May not take more than is free, unless ``allow_debt``: then the rest is owed and new credits repay it first.
    Raises what ``add_credits`` and ``spend_credits`` raise.
    """
    sheet = lock_account(account, once=once, at=at)
    history.load_references({account: sheet}, [(account, memo)])
    return post([sheet], plan.adjust(sheet, delta, memo, terms, allow_debt=allow_debt), once)
