"""The clock's work: lots that expired, holds that timed out, periods to allot, quotas to reset, on idle accounts."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, QuerySet

from credits import refusals
from credits.models import AccountStatus, Allotment, Grant, Hold, HoldStatus, Quota, QuotaPeriod
from credits.plan import Sheet
from credits.services import clock
from credits.services.locks import lock_account, lock_idle_accounts
from credits.services.once import Once, money
from credits.services.postings import post
from credits.services.runs import Done

log = logging.getLogger(__name__)

# Accounts settled under one commit: far fewer round trips than one by one, and still over in a blink for who waits.
SLICE = 100
# Accounts found by one look: what is kept in memory.
LOOK = 50_000


@money
def settle_account(once: Once | None, /, *, account: UUID, at: datetime | None = None) -> Sheet:
    """Post what fell due on an account: timed-out holds, expired lots. Twice does no more than once."""
    sheet = lock_account(account, once=once, at=at)
    return post([sheet], sheet, once)


@money
def settle_accounts(
    once: Once | None, /, *, accounts: Sequence[UUID], at: datetime | None = None
) -> tuple[int, list[UUID]]:
    """Post what fell due on several accounts at once, without waiting for those that somebody else holds.

    Returns on how many something was posted, and which were busy and left as they are.
    """
    sheets = lock_idle_accounts(accounts, at=at)
    settled = sum(sheet.touched for sheet in sheets.values())
    return post(sheets.values(), settled, once), sorted(set(accounts) - sheets.keys())


def expire_due_lots(*, at: datetime | None = None) -> Done:
    """Post the expiry of every lot whose time has come. Returns how many accounts were settled.

    A slice of accounts is a transaction, so a crash loses nothing; two runs at once leave each other's accounts alone.
    """
    return _settle_due(Grant.objects.filter(is_open=True, expires_at__lte=clock.due(at), remaining__gt=F("held")), at)


def time_out_due_holds(*, at: datetime | None = None) -> Done:
    """Time out every hold whose time has come. Returns how many accounts were settled, as ``expire_due_lots`` does."""
    return _settle_due(Hold.objects.filter(status=HoldStatus.OPEN, expires_at__lte=clock.due(at)), at)


def issue_due_allotments(*, at: datetime | None = None) -> Done:
    """Issue every allotted period whose time has come, missed ones too. Returns how many accounts were settled."""
    due = Allotment.objects.filter(next_at__lte=clock.due(at)).exclude(account__status=AccountStatus.CLOSED)
    return _settle_due(due, at)


def reset_due_quotas(period: QuotaPeriod, *, at: datetime | None = None) -> Done:
    """Close every window of a period that is over and was used. Returns how many accounts were settled.

    Nothing waits for this: a window that is over is closed at the next touch of its account anyhow. It lets the rows of
    idle accounts tell the same.
    """
    return _settle_due(Quota.objects.filter(period=period, used__gt=0, resets_at__lte=clock.due(at)), at)


def _settle_due(due: QuerySet[Any], at: datetime | None) -> Done:
    """Settle the accounts of due rows, each of them once: what could not be settled is left to the next run."""
    settled, left = 0, 0
    found = due.order_by("account_id").values_list("account_id", flat=True).distinct()
    accounts = list(found[:LOOK])
    while accounts:
        for first in range(0, len(accounts), SLICE):
            done, busy = _settle_slice(accounts[first : first + SLICE], at)
            settled, left = settled + done, left + busy
        accounts = list(found.filter(account_id__gt=accounts[-1])[:LOOK])
    return Done(settled, f"{left} busy accounts are left to the next run" if left else "")


def _settle_slice(accounts: list[UUID], at: datetime | None) -> tuple[int, int]:
    """Settle a slice; where that fails, each of its accounts alone. Returns how many were settled, how many busy."""
    try:
        settled, busy = settle_accounts(accounts=accounts, at=at)
        return settled, len(busy)
    except Exception:
        log.exception("%d accounts could not be settled together: each is settled alone", len(accounts))
    settled, left = 0, 0
    for account in accounts:
        try:
            settled += settle_account(account=account, at=at).touched
        except refusals.Busy:
            # Whoever holds the account settles it; if not, the next run does.
            left += 1
        except Exception:
            # One account that cannot be settled must not keep the others from it.
            log.exception("Account %s could not be settled", account)
    return settled, left
