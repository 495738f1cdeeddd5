"""What time it is, for everything that falls due. The database's clock says so; a test clock runs ahead of it.

The test clock is for demonstrations and tests (TEST_CLOCK, refused in production). It moves the time of the books:
movements, lots, holds and windows. API keys, idempotency records and the records of jobs keep the real time.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from credits.models import ClockOffset

FURTHEST = timedelta(days=36_525)


class NoTestClock(Exception):
    """The clock was to be moved where TEST_CLOCK is off."""


def moved() -> datetime | None:
    """Return the time by the test clock, or None where there is none or it has not been moved."""
    if not settings.TEST_CLOCK:
        return None
    with connection.cursor() as cursor:
        cursor.execute('SELECT clock_timestamp() + "offset" FROM credits_clockoffset WHERE "offset" <> interval \'0\'')
        row: tuple[datetime] | None = cursor.fetchone()
    return row[0] if row else None


def now() -> datetime:
    """Return the time, for what is shown and asked outside a lock."""
    return moved() or timezone.now()


def due(at: datetime | None) -> datetime | Now:
    """Return the moment up to which things are due: ``at``, or else the time, as a value of a query."""
    return at or moved() or Now()


def move(by: timedelta) -> datetime:
    """Put the test clock forward, and return the time it shows then.

    Raises NoTestClock where TEST_CLOCK is off, ValueError for a step back and for more than a hundred years in all.
    """
    _refuse_without_test_clock()
    if by <= timedelta():
        raise ValueError("The clock only goes forward.")
    with transaction.atomic():
        ClockOffset.objects.get_or_create(pk=ClockOffset.ONLY)
        row = ClockOffset.objects.select_for_update().get()
        if row.offset + by > FURTHEST:
            raise ValueError("The clock cannot be put forward by more than a hundred years.")
        row.offset += by
        row.save()
    return now()


def reset() -> None:
    """Let the database's clock count again. Until it catches up, an account stays at its last movement's time.

    Raises NoTestClock where TEST_CLOCK is off.
    """
    _refuse_without_test_clock()
    ClockOffset.objects.all().delete()


def _refuse_without_test_clock() -> None:
    if not settings.TEST_CLOCK:
        raise NoTestClock("The clock is not to be moved: TEST_CLOCK is off.")
