"""Days, weeks and months as an account's owner lives them. Pure: no database, no clock.

A day begins at the first instant at which the zone's clocks show it: at its midnight, the earlier one where it comes
twice, or where clocks were put forward past it, the moment they were. A window reaches from its start to the start of
the next, so windows leave no gap and never overlap, whatever the clocks do in between.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

MONDAY = 1
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
# Months that follow the calendar are counted from the first day of any month.
CALENDAR = date(2000, 1, 1)


class Period(StrEnum):
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


def window(
    period: Period, at: datetime, zone: ZoneInfo, *, week_starts_on: int = MONDAY, anchor: date | None = None
) -> tuple[datetime, datetime]:
    """Return the window that an aware ``at`` lies in, in UTC: its start, and its end, which is no part of it.

    ``week_starts_on`` is an ISO weekday. ``anchor`` is a day whose day of the month begins each month; where a month is
    too short for it, the month's last day does.
    """
    first, after = days(period, day_of(at, zone), week_starts_on=week_starts_on, anchor=anchor)
    return midnight(first, zone), midnight(after, zone)


def days(period: Period, day: date, *, week_starts_on: int = MONDAY, anchor: date | None = None) -> tuple[date, date]:
    """Return the first day of the window that a day lies in, and the first day after it. As for ``window``."""
    if period == Period.DAILY:
        return day, day + DAY
    if period == Period.WEEKLY:
        first = day - DAY * ((day.isoweekday() - week_starts_on) % 7)
        return first, first + 7 * DAY
    since = anchor or CALENDAR
    number = months_between(since, day)
    if months_after(since, number) > day:
        number -= 1
    return months_after(since, number), months_after(since, number + 1)


def day_of(at: datetime, zone: ZoneInfo) -> date:
    """Return the latest day that had begun by an aware ``at``.

    That is the date the zone's clocks show, but for clocks that were just put back past a midnight: there the new day
    goes on.
    """
    shown = at.astimezone(zone).date()
    return shown + DAY if midnight(shown + DAY, zone) <= at else shown


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant, in UTC, at which a day begins."""
    return instant(datetime.combine(day, time.min), zone)


def instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant, in UTC, at which the zone's clocks show ``wall``, which has no zone.

    Where they show it twice its ``fold`` says which; where they never do, the instant at which they passed over it.
    """
    shown = wall.replace(tzinfo=zone)
    found = shown.astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == wall:
        return found
    # The clocks were put forward somewhere between what the offset before and the offset after make of it.
    late, early = (shown.replace(fold=fold).astimezone(UTC).replace(microsecond=0) for fold in (0, 1))
    while late - early > SECOND:
        middle = early + (late - early) // 2 // SECOND * SECOND
        if middle.astimezone(zone).replace(tzinfo=None) < wall:
            early = middle
        else:
            late = middle
    return late


def months_after(day: date, months: int) -> date:
    """Return the same day of the month, so many months later or, where negative, before; at the latest the last."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def months_between(first: date, last: date) -> int:
    """Return how many months of the calendar the second day's month lies after the first's."""
    return (last.year - first.year) * 12 + last.month - first.month


def boundary(anchor: datetime, number: int, zone: ZoneInfo, *, months: int = 1) -> datetime:
    """Return the start, in UTC, of the period of this number; period 0 starts at the anchor, which is aware.

    It is the anchor's day of the month and time of day on the zone's clocks, so many times ``months`` later: the
    month's last day where the month is too short, and where the clocks passed over that time, the instant they did.
    Reckoned from the anchor itself, never from the boundary before, so that a short month does not shorten later ones.
    """
    wall = anchor.astimezone(zone).replace(tzinfo=None)
    day = months_after(wall.date(), number * months)
    return instant(wall.replace(year=day.year, month=day.month, day=day.day), zone)
