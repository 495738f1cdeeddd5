"""Quotas: an account's own limits, limits for the time being, and resets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from credits import refusals
from credits.models import Measure, QuotaPeriod
from credits.models.fields import MAX_QUANTITY
from credits.plan import Sheet, quotas
from credits.plan.quotas import Standing
from credits.plan.state import QuotaCount, QuotaKey
from credits.services import history
from credits.services.locks import lock_account
from credits.services.once import Once, money
from credits.services.postings import post


class UnknownQuota(refusals.Refusal):
    status, code, title, stored = 404, "quota_not_found", "There is no such quota.", False


@money
def set_quota(
    once: Once | None,
    /,
    *,
    account: UUID,
    key: QuotaKey,
    limit: Decimal | None,
    hard: bool = True,
    at: datetime | None = None,
) -> Standing:
    """Give an account a limit of its own, in place of its plan's; None takes it away. What was used stays counted.

    A hard limit refuses, a soft one warns. Raises UnknownAccount, InvalidField, Busy.
    """
    _check_key(key)
    _check_limit(limit)
    sheet = lock_account(account, once=once, at=at)
    return post([sheet], _standing(sheet, _limit(sheet, key, limit, hard=hard)), once)


@money
def set_quotas(
    once: Once | None, /, *, account: UUID, limits: Mapping[QuotaKey, Decimal | None], at: datetime | None = None
) -> Sheet:
    """Give an account several hard limits of its own at once, as ``set_quota`` gives one. Returns the account."""
    for key, limit in limits.items():
        _check_key(key)
        _check_limit(limit)
    sheet = lock_account(account, once=once, at=at)
    for key, limit in limits.items():
        _limit(sheet, key, limit, hard=True)
    return post([sheet], sheet, once)


@money
def override_quota(
    once: Once | None,
    /,
    *,
    account: UUID,
    key: QuotaKey,
    limit: Decimal,
    until: datetime,
    reason: str,
    at: datetime | None = None,
) -> Standing:
    """Give an account another limit until a moment, after which the usual one holds again by itself.

    Raises UnknownAccount, InvalidField, Busy.
    """
    _check_key(key)
    _check_limit(limit)
    sheet = lock_account(account, once=once, at=at)
    if until <= sheet.at:
        raise refusals.InvalidField("until", "The end lies in the past.")
    count = quotas.ensure(sheet, key)
    count.override_limit, count.override_until, count.override_reason = limit, until, reason
    count.changed = sheet.touched = True
    return post([sheet], _standing(sheet, count), once)


@money
def end_override(once: Once | None, /, *, account: UUID, key: QuotaKey, at: datetime | None = None) -> Standing:
    """Let the usual limit hold again. Raises UnknownAccount, UnknownQuota, Busy."""
    sheet = lock_account(account, once=once, at=at)
    count = _known(sheet, key)
    count.override_limit, count.override_until, count.override_reason = None, None, ""
    count.changed = sheet.touched = True
    return post([sheet], _standing(sheet, count), once)


@money
def reset_quota(once: Once | None, /, *, account: UUID, key: QuotaKey, at: datetime | None = None) -> Standing:
    """Let a quota begin anew now, within its window. Raises UnknownAccount, UnknownQuota, Busy."""
    sheet = lock_account(account, once=once, at=at)
    count = _known(sheet, key)
    quotas.reset(sheet, count)
    return post([sheet], _standing(sheet, count), once)


def _limit(sheet: Sheet, key: QuotaKey, limit: Decimal | None, *, hard: bool) -> QuotaCount:
    count = quotas.ensure(sheet, key)
    count.limit, count.hard = limit, hard
    count.changed = sheet.touched = True
    return count


def _standing(sheet: Sheet, count: QuotaCount) -> Standing:
    if sheet.held and not sheet.holds:
        history.load_open_holds({sheet.id: sheet})
    return quotas.standing(sheet, count)


def _known(sheet: Sheet, key: QuotaKey) -> QuotaCount:
    count = sheet.quotas.get(key)
    if count is None:
        raise UnknownQuota("The account has no such quota.")
    return count


def _check_key(key: QuotaKey) -> None:
    if key.period not in QuotaPeriod.values:
        raise refusals.InvalidField("period", f"The period is one of {', '.join(QuotaPeriod.values)}.")
    if key.measure not in Measure.values:
        raise refusals.InvalidField("measure", f"The measure is one of {', '.join(Measure.values)}.")


def _check_limit(limit: Decimal | None) -> None:
    if limit is not None and (not limit.is_finite() or not 0 <= limit <= MAX_QUANTITY):
        raise refusals.InvalidField("limit", "The limit must be zero or more.")
