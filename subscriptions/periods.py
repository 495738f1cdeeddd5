"""Billing periods, counted from the moment a subscription began. Pure: no database, no clock.

Every boundary is reckoned from the anchor itself, never from the boundary before, so that a period which had to end
on a short month's last day does not shorten the ones after it.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from credits.plan.windows import instant, months_after, months_between


def boundary(anchor: datetime, number: int, zone: ZoneInfo, *, months: int = 1) -> datetime:
    """Return the start, in UTC, of the period of this number; period 0 starts at the anchor, which is aware.

    It is the anchor's day of the month and time of day on the zone's clocks, so many times ``months`` later: the
    month's last day where the month is too short, and where the clocks passed over that time, the instant they did.
    """
    wall = anchor.astimezone(zone).replace(tzinfo=None)
    day = months_after(wall.date(), number * months)
    return instant(wall.replace(year=day.year, month=day.month, day=day.day), zone)


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
