"""Movements that answer an earlier one: refunds and reversals."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from credits import disputed, plan, refusals
from credits.models import Transaction, TransactionKind
from credits.plan import Memo, Movement
from credits.services import history
from credits.services.locks import lock_account, lock_accounts
from credits.services.once import Once, money
from credits.services.postings import post


@money
def refund_transaction(
    once: Once | None,
    /,
    *,
    transaction: UUID,
    amount: Decimal | None = None,
    memo: Memo,
    at: datetime | None = None,
) -> Movement:
    """Give a spend back, whole or in part, to the lots it was drawn from; never more than was spent.

    Raises UnknownTransaction, NotRefundable, RefundExceedsSpend, AccountClosed, ReferenceConflict, Busy.
    """
    account = account_of(transaction)
    sheet = lock_account(account, once=once, at=at)
    history.load_references({account: sheet}, [(account, memo)])
    spent = history.load_posted({account: sheet}, [transaction])[transaction]
    movement = plan.refund(sheet, spent, amount, memo)
    plan.expire_lots(sheet)
    post([sheet], movement, once)
    disputed.freed([account])
    return movement


@money
def reverse_transaction(
    once: Once | None,
    /,
    *,
    transaction: UUID,
    memo: Memo,
    allow_debt: bool = False,
    at: datetime | None = None,
) -> Movement:
    """Post the opposite of a whole movement, once; of a transfer, of both its legs.

    Credits already spent cannot be taken back: refused with InsufficientCredits, or with ``allow_debt`` owed.
    Raises UnknownTransaction, NotReversible, AlreadyReversed, InsufficientCredits, AccountClosed, Busy.
    """
    leg = other_leg_of(transaction)
    owners = {each: account_of(each) for each in (transaction, leg) if each}
    sheets = lock_accounts(owners.values(), once=once, at=at)
    history.load_references(sheets, [(account, memo) for account in sheets])
    found = history.load_posted(sheets, owners)
    movement, _ = plan.reverse(
        sheets[owners[transaction]],
        found[transaction],
        memo,
        other_leg=(sheets[owners[leg]], found[leg]) if leg else None,
        allow_debt=allow_debt,
    )
    for sheet in sheets.values():
        plan.expire_lots(sheet)
    return post(sheets.values(), movement, once)


def account_of(transaction: UUID) -> UUID:
    """Return the account of a transaction. Raises UnknownTransaction."""
    account = Transaction.objects.filter(pk=transaction).values_list("account_id", flat=True).first()
    if account is None:
        raise refusals.UnknownTransaction("There is no such transaction.")
    return account


def other_leg_of(transaction: UUID) -> UUID | None:
    """Return the other leg of a transfer, or None for any other movement."""
    legs = Transaction.objects.filter(kind=TransactionKind.TRANSFER)
    own = legs.filter(pk=transaction).values_list("parent_id", flat=True).first()
    return own or legs.filter(parent=transaction).values_list("pk", flat=True).first()
