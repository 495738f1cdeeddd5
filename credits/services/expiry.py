"""The clock's work: lots that expired and holds that timed out, on accounts nobody touches."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import F

from credits import refusals
from credits.models import Grant, Hold, HoldStatus
from credits.plan import Sheet
from credits.services import clock
from credits.services.locks import lock_account
from credits.services.once import Once, money
from credits.services.postings import post

log = logging.getLogger(__name__)


@money
def settle_account(once: Once | None, /, *, account: UUID, at: datetime | None = None) -> Sheet:
    """Post what fell due on an account: timed-out holds, expired lots. Twice does no more than once."""
    sheet = lock_account(account, once=once, at=at)
    return post([sheet], sheet, once)


def expire_due_lots(*, at: datetime | None = None) -> int:
    """Post the expiry of every lot whose time has come. Returns how many accounts were settled.

    Each account is its own transaction, so a crash loses nothing and two runs at once only wait for each other.
    """
    due = Grant.objects.filter(is_open=True, expires_at__lte=clock.due(at), remaining__gt=F("held"))
    return _settle_each(due.order_by("account_id").values_list("account_id", flat=True).distinct(), at)


def time_out_due_holds(*, at: datetime | None = None) -> int:
    """Time out every hold whose time has come. Returns how many accounts were settled."""
    due = Hold.objects.filter(status=HoldStatus.OPEN, expires_at__lte=clock.due(at))
    return _settle_each(due.order_by("account_id").values_list("account_id", flat=True).distinct(), at)


def _settle_each(accounts: Iterable[UUID], at: datetime | None) -> int:
    settled = 0
    for account in list(accounts):
        try:
            settle_account(account=account, at=at)
            settled += 1
        except refusals.Busy:
            # Whoever holds the account settles it; if not, the next run does.
            log.info("Account %s is busy: left to the next run", account)
        except Exception:
            # One account that cannot be settled must not keep the others from it.
            log.exception("Account %s could not be settled", account)
    return settled
