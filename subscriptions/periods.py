"""Billing periods, counted from the moment a subscription began. Pure: no database, no clock."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from credits.plan.windows import boundary, months_between


def period(anchor: datetime, number: int, zone: ZoneInfo, months: int = 1) -> tuple[datetime, datetime]:
    """Return the start of a period, and its end, which is the start of the next."""
    return boundary(anchor, number, zone, months=months), boundary(anchor, number + 1, zone, months=months)


def number_at(anchor: datetime, at: datetime, zone: ZoneInfo, months: int = 1) -> int:
    """Return the number of the period that an aware ``at`` lies in; negative before the anchor."""
    passed = months_between(anchor.astimezone(zone).date(), at.astimezone(zone).date())
    # Within a month the calendar alone does not say whether the boundary has been reached.
    number = passed // months + 1
    while boundary(anchor, number, zone, months=months) > at:
        number -= 1
    return number
