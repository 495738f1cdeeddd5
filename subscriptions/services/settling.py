"""What time brings to subscriptions: trials, periods, scheduled changes and grace that end. The clock's work."""

from __future__ import annotations

import logging
from datetime import datetime
from uuid import UUID

from credits import refusals
from credits.services import clock
from credits.services.expiry import settle_account
from credits.services.locks import lock_idle_accounts
from credits.services.once import Once, money
from credits.services.runs import Done
from subscriptions.models import Subscription
from subscriptions.services.rows import account_of, lock_settled, locked_row
from subscriptions.services.writing import settle

log = logging.getLogger(__name__)

SLICE = 1000


@money
def settle_subscription(once: Once | None, /, *, subscription: UUID, at: datetime | None = None) -> Subscription:
    """Write what time has done to a subscription. Twice does no more than once. Raises UnknownSubscription, Busy."""
    sheet = lock_settled(account_of(subscription), once=once, at=at)
    row = locked_row(subscription)
    settle(row, sheet)
    return row


def settle_due_subscriptions(*, at: datetime | None = None) -> Done:
    """Settle every subscription that time has changed. Returns how many were settled.

    Nothing waits for this: what an account may use and is granted was told to the ledger in advance, and any touch of a
    subscription settles it. Each is its own transaction; one whose account is busy is left to the next run.
    """
    settled, found, after = 0, 0, None
    while due := _due(after, at):
        settled += sum(_settle_quietly(subscription, account, at) for subscription, account in due)
        found, after = found + len(due), due[-1][0]
    left = found - settled
    return Done(settled, f"{left} subscriptions are left to the next run" if left else "")


def _due(after: UUID | None, at: datetime | None) -> list[tuple[UUID, UUID]]:
    rows = Subscription.objects.filter(next_due_at__lte=clock.due(at)).order_by("id")
    if after is not None:
        rows = rows.filter(id__gt=after)
    return list(rows.values_list("id", "account_id")[:SLICE])


def _settle_quietly(subscription: UUID, account: UUID, at: datetime | None) -> bool:
    try:
        return _settle_idle(subscription=subscription, account=account, at=at)
    except refusals.Busy:
        log.info("Subscription %s is busy: left to the next run", subscription)
    except Exception:
        # One that cannot be settled must not keep the others from it.
        log.exception("Subscription %s could not be settled", subscription)
    return False


@money
def _settle_idle(once: Once | None, /, *, subscription: UUID, account: UUID, at: datetime | None) -> bool:
    sheet = lock_idle_accounts([account], at=at).get(account)
    if sheet is None:
        return False
    if sheet.touched:
        settle_account(account=account, at=sheet.at)
    settle(locked_row(subscription), sheet)
    return True
