"""Holds: credits set aside, then captured, extended, released or timed out."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from credits import disputed, plan, refusals
from credits.models import Hold
from credits.plan import Memo, Movement, Reservation, Sheet, Usage
from credits.plan.state import ZERO
from credits.services import history
from credits.services.locks import lock_account
from credits.services.once import Once, money
from credits.services.postings import post
from credits.services.prices import pinned_tariff


@money
def hold_credits(
    once: Once | None,
    /,
    *,
    account: UUID,
    amount: Decimal,
    memo: Memo,
    lasting: timedelta,
    abandonment_charge: Decimal = ZERO,
    at: datetime | None = None,
) -> Reservation:
    """Set credits aside for a charge to come. The hold times out after ``lasting``, into its abandonment charge.

    Raises UnknownAccount, AccountFrozen, AccountClosed, InsufficientCredits, InvalidField, ReferenceConflict, Busy.
    """
    sheet = lock_account(account, once=once, at=at)
    history.load_references({account: sheet}, [(account, memo)])
    held = plan.hold(sheet, amount, memo, lasting=lasting, abandonment_charge=abandonment_charge)
    return post([sheet], held, once)


@money
def capture_hold(
    once: Once | None,
    /,
    *,
    hold: UUID,
    amount: Decimal | None = None,
    memo: Memo,
    usage: Usage | None = None,
    final: bool = False,
    account: UUID | None = None,
    at: datetime | None = None,
) -> tuple[Movement, Reservation]:
    """Charge a held amount, by default all that is left; ``final`` frees the rest. May be called several times.

    ``usage`` charges what that costs at the price that the hold was placed at. ``account`` refuses a hold of another
    account as unknown.
    Raises UnknownHold, HoldClosed, CaptureExceedsHold, InvalidField, ReferenceConflict, Busy.
    """
    sheet, held = _lock_hold(hold, account, once, at)
    history.load_references({sheet.id: sheet}, [(sheet.id, memo)])
    tariff = pinned_tariff(held) if usage is not None else None
    memo = replace(memo, feature=held.memo.feature or memo.feature)
    movement = plan.capture(sheet, held, amount, memo, final=final, usage=usage, tariff=tariff)
    plan.expire_lots(sheet)
    done = post([sheet], (movement, held), once)
    if final:
        disputed.freed([sheet.id])
    return done


@money
def release_hold(
    once: Once | None, /, *, hold: UUID, account: UUID | None = None, at: datetime | None = None
) -> Reservation:
    """Free what a hold still sets aside. What lapsed meanwhile expires at once.

    Raises UnknownHold, HoldClosed, Busy.
    """
    sheet, held = _lock_hold(hold, account, once, at)
    plan.release(sheet, held)
    plan.expire_lots(sheet)
    post([sheet], held, once)
    disputed.freed([sheet.id])
    return held


@money
def extend_hold(once: Once | None, /, *, hold: UUID, lasting: timedelta, at: datetime | None = None) -> Reservation:
    """Let a hold last longer, counted from now. Raises UnknownHold, HoldClosed, InvalidField, Busy."""
    sheet, held = _lock_hold(hold, None, once, at)
    return post([sheet], plan.extend(sheet, held, sheet.at + lasting), once)


def _lock_hold(hold: UUID, account: UUID | None, once: Once | None, at: datetime | None) -> tuple[Sheet, Reservation]:
    """Lock the account of a hold. Returns its sheet and the hold as it is under the lock."""
    owner = Hold.objects.filter(pk=hold).values_list("account_id", flat=True).first()
    if owner is None or account not in (None, owner):
        raise refusals.UnknownHold("There is no such hold.")
    sheet = lock_account(owner, once=once, at=at)
    return sheet, history.load_holds({owner: sheet}, [hold])[hold]
