"""Quotas: how much of a feature, or of all, an account may use in a window. Counted where a use is planned.

A hold takes its place until it is captured or let go; what it captures counts in the window in which it is captured,
and what it costs that nobody came back for, in the window in which its time was up.
What is given back of a use is given back to the window that counted it, as long as that one runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from credits import refusals
from credits.amounts import say
from credits.models.quotas import Measure
from credits.plan.state import ZERO, Movement, QuotaCount, QuotaKey, Sheet
from credits.plan.windows import Period

PER = {Period.DAILY: "a day", Period.WEEKLY: "a week", Period.MONTHLY: "a month"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a use would take of quotas."""

    feature: str
    credits: Decimal
    quantity: Decimal

    def of(self, measure: str) -> Decimal:
        """Return how much of it a measure counts."""
        return self.credits if measure == Measure.CREDITS else self.quantity


@dataclass(frozen=True, slots=True)
class Bite:
    """A limit that a use runs into."""

    quota: QuotaCount
    limit: Decimal
    reserved: Decimal
    wanted: Decimal

    def told(self) -> dict[str, Any]:
        """Return it as members of a problem."""
        return {
            "feature": self.quota.feature,
            "period": self.quota.period,
            "measure": self.quota.measure,
            "limit": self.limit,
            "used": self.quota.used,
            "reserved": self.reserved,
            "requested": self.wanted,
            "resets_at": self.quota.resets_at,
        }

    def said(self) -> str:
        """Return it in words."""
        quota = self.quota
        what = f"of {quota.feature} " if quota.feature else ""
        counts = "credits" if quota.measure == Measure.CREDITS else "uses"
        reserved = f", {say(self.reserved)} held" if self.reserved else ""
        return (
            f"{say(self.limit)} {counts} {what}{PER[Period(quota.period)]} are allowed: "
            f"{say(quota.used)} used{reserved}, {say(self.wanted)} more requested."
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """A quota as it stands at a moment, with what open holds stand to take of it."""

    count: QuotaCount
    reserved: Decimal
    at: datetime


def standing(sheet: Sheet, count: QuotaCount) -> Standing:
    """Return how a quota stands. The sheet has every open hold where there are any."""
    return Standing(count, reserved(sheet, count), sheet.at)


def limited(sheet: Sheet) -> list[QuotaCount]:
    """Return the counts that a limit holds for now. Others are counted on, in case one comes back."""
    return [count for count in sheet.quotas.values() if count.limit_at(sheet.at) is not None]


def prepare(sheet: Sheet) -> None:
    """Put the allowance's limits on the sheet's counts, and begin the windows that time has begun.

    Where something fell due before now, those that had begun by then: settling goes on from there.
    """
    moment = min(sheet.at, sheet.next_due_at or sheet.at)
    for feature, period, measure, limit, hard in sheet.limits:
        key = QuotaKey(feature, period, measure)
        count = sheet.quotas.get(key)
        if count is None:
            count = sheet.quotas[key] = _fresh(sheet, key, moment)
        count.plan_limit, count.plan_hard = Decimal(limit), hard
    roll(sheet, moment)


def roll(sheet: Sheet, moment: datetime) -> None:
    """Close the windows that are over by a moment, and begin those that it lies in."""
    for count in sheet.quotas.values():
        if count.resets_at <= moment:
            _roll(sheet, count, moment)


def ensure(sheet: Sheet, key: QuotaKey) -> QuotaCount:
    """Return the count of a quota, begun now where there is none yet."""
    count = sheet.quotas.get(key)
    if count is None:
        count = sheet.quotas[key] = _fresh(sheet, key, sheet.at)
    return count


def check(sheet: Sheet, wanted: Wanted) -> list[dict[str, Any]]:
    """Refuse a use that a hard limit does not allow. Returns the warnings of soft ones.

    Raises FeatureNotEnabled, or QuotaExceeded for the limit that resets last: until then a retry would be refused too.
    """
    if wanted.feature and wanted.feature in sheet.denied:
        raise refusals.FeatureNotEnabled(
            f"{wanted.feature} is not enabled for this account.", feature=wanted.feature, allowance=sheet.allowance
        )
    if not sheet.quotas:
        return []
    bites = list(_bites(sheet, wanted))
    hard = [bite for bite in bites if bite.quota.is_hard(sheet.at)]
    if hard:
        last = max(hard, key=lambda bite: bite.quota.resets_at)
        wait = (last.quota.resets_at - sheet.at).total_seconds()
        raise refusals.QuotaExceeded(last.said(), wait=wait, **last.told())
    return [{"code": "quota_exceeded", "detail": bite.said(), **bite.told()} for bite in bites]


def count(sheet: Sheet, wanted: Wanted) -> None:
    """Count a use in every quota that it falls under."""
    for quota in _under(sheet, wanted.feature):
        quota.used += wanted.of(quota.measure)
        quota.changed = sheet.touched = True


def give_back(sheet: Sheet, original: Movement, wanted: Wanted) -> None:
    """Give back what a use took, to the quotas whose running window counted it."""
    for quota in _under(sheet, original.memo.feature):
        part = min(wanted.of(quota.measure), quota.used)
        if part and original.sequence > quota.since_sequence:
            quota.used -= part
            quota.changed = sheet.touched = True


def reset(sheet: Sheet, quota: QuotaCount) -> None:
    """Let a quota begin anew within its window: what was used so far counts no more."""
    quota.used, quota.since_sequence = ZERO, sheet.sequence
    quota.changed = sheet.touched = True


def reserved(sheet: Sheet, quota: QuotaCount) -> Decimal:
    """Return what open holds stand to take of a quota."""
    total = ZERO
    for held in sheet.holds.values():
        if held.status == "open" and held.freezes is None and quota.feature in {"", held.memo.feature}:
            uses = held.charge.quantity - held.captured_quantity
            total += held.remaining if quota.measure == Measure.CREDITS else uses
    return total


def _bites(sheet: Sheet, wanted: Wanted) -> Iterator[Bite]:
    for quota in _under(sheet, wanted.feature):
        limit, want = quota.limit_at(sheet.at), wanted.of(quota.measure)
        if limit is None or not want:
            continue
        waiting = reserved(sheet, quota) if sheet.held else ZERO
        if quota.used + waiting + want > limit:
            yield Bite(quota, limit, waiting, want)


def _under(sheet: Sheet, feature: str) -> Iterator[QuotaCount]:
    for quota in sheet.quotas.values():
        if quota.feature in {"", feature}:
            yield quota


def _fresh(sheet: Sheet, key: QuotaKey, moment: datetime) -> QuotaCount:
    start, end = sheet.calendar.window(key.period, moment)
    return QuotaCount(*key, since_sequence=sheet.sequence, window_start=start, resets_at=end)


def _roll(sheet: Sheet, quota: QuotaCount, moment: datetime) -> None:
    if quota.used:
        quota.closed.append((quota.window_start, quota.resets_at, quota.used, quota.limit_at(quota.window_start)))
        quota.changed = sheet.touched = True
    quota.used, quota.since_sequence = ZERO, sheet.sequence
    quota.window_start, quota.resets_at = sheet.calendar.window(quota.period, moment)
