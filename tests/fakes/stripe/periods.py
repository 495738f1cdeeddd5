"""Where a subscription's periods end. Pure."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta

from .store import Obj

DAYS = {"day": 1, "week": 7}
MONTHS = {"month": 1, "year": 12}


def boundary(anchor: int, recurring: Obj, count: int) -> int:
    """Return the end of the count-th period after the anchor; the 31st is the last day of shorter months."""
    start = datetime.fromtimestamp(anchor, UTC)
    units = count * recurring["interval_count"]
    if recurring["interval"] in DAYS:
        return int((start + timedelta(days=units * DAYS[recurring["interval"]])).timestamp())
    months = start.year * 12 + start.month - 1 + units * MONTHS[recurring["interval"]]
    year, month = divmod(months, 12)
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    return int(start.replace(year=year, month=month + 1, day=day).timestamp())


def end_after(anchor: int, recurring: Obj, moment: int) -> int:
    """Return the first boundary later than a moment."""
    count = 1
    while boundary(anchor, recurring, count) <= moment:
        count += 1
    return boundary(anchor, recurring, count)
