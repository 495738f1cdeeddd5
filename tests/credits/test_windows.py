"""Days, weeks and months in zones that put their clocks forward and back, at midnight, and past whole days."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from credits.plan.windows import Period, day_of, instant, midnight, months_after, window

INSTANT = timedelta(microseconds=1)
# Clocks change at midnight, after it, by half an hour, by a day, on no day at all, and to half and quarter hours.
ZONES = [
    "UTC", "Africa/Cairo", "Africa/Casablanca", "America/Asuncion", "America/Chicago", "America/Havana",
    "America/New_York", "America/Nuuk", "America/Santiago", "America/Sao_Paulo", "America/St_Johns", "Asia/Beirut",
    "Asia/Gaza", "Asia/Jerusalem", "Asia/Kathmandu", "Asia/Kolkata", "Asia/Tehran", "Asia/Tokyo",
    "Atlantic/Azores", "Australia/Lord_Howe", "Australia/Sydney", "Europe/Berlin", "Europe/Dublin", "Europe/London",
    "Pacific/Apia", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Kiritimati",
]  # fmt: skip
# Both ends of the rules that changed: Samoa left out a day in 2011, Brazil gave up summer time in 2019, Egypt took it
# up again in 2023, Newfoundland put its clocks back past midnight until 2010.
SPANS = [(2010, 2012), (2017, 2019), (2023, 2026)]
ANY_ZONE = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)
ANY_TIME = st.integers(-630_000_000, 2_840_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
ANY_PERIOD = st.sampled_from(Period)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]  # the parts of a datetime


def walk(period: Period, zone: ZoneInfo, years: tuple[int, int], **options) -> Iterator[tuple[datetime, datetime]]:
    """Yield every window of these years, each found from the last one's end."""
    at = utc(years[0], 1, 1)
    while at < utc(years[1] + 1, 1, 1):
        found = window(period, at, zone, **options)
        yield found
        at = found[1]


def shows(at: datetime, zone: ZoneInfo) -> datetime:
    """Return what the zone's clocks show."""
    return at.astimezone(zone).replace(tzinfo=None)


def assert_a_day_begins(at: datetime, zone: ZoneInfo) -> None:
    """It is midnight, or the instant at which the clocks were put forward past it."""
    now, before = shows(at, zone), shows(at - INSTANT, zone)
    assert before.date() < now.date()
    assert now.time() == time.min or now - before > INSTANT


@pytest.mark.parametrize("years", SPANS, ids=str)
@pytest.mark.parametrize("name", ZONES)
class TestEveryWindowOfTheseYears:
    def test_days(self, name: str, years: tuple[int, int]) -> None:
        zone = ZoneInfo(name)
        for (start, end), (following, _) in pairwise(walk(Period.DAILY, zone, years)):
            assert end == following
            assert window(Period.DAILY, end - INSTANT, zone) == (start, end)
            assert window(Period.DAILY, start + INSTANT, zone) == (start, end)
            assert day_of(start, zone) == day_of(end - INSTANT, zone) < day_of(end, zone)
            assert_a_day_begins(start, zone)

    def test_weeks(self, name: str, years: tuple[int, int]) -> None:
        zone = ZoneInfo(name)
        for weekday in range(1, 8):
            for (start, end), (following, _) in pairwise(walk(Period.WEEKLY, zone, years, week_starts_on=weekday)):
                assert end == following
                assert window(Period.WEEKLY, end - INSTANT, zone, week_starts_on=weekday) == (start, end)
                # Samoa's missing Friday began where its Saturday did.
                assert shows(start, zone).isoweekday() == weekday or start == utc(2011, 12, 30, 10)
                assert_a_day_begins(start, zone)

    @pytest.mark.parametrize("day", [1, 15, 28, 29, 30, 31])
    def test_months(self, name: str, years: tuple[int, int], day: int) -> None:
        zone = ZoneInfo(name)
        anchor = date(2016, 1, day)
        for (start, end), (following, _) in pairwise(walk(Period.MONTHLY, zone, years, anchor=anchor)):
            assert end == following
            assert window(Period.MONTHLY, end - INSTANT, zone, anchor=anchor) == (start, end)
            shown = shows(start, zone).date()
            clamped = (shown + timedelta(days=1)).day == 1 and shown.day < day
            assert shown.day == day or clamped or start == utc(2011, 12, 30, 10)
            assert_a_day_begins(start, zone)


class TestAnyZoneAtAnyTime:
    @given(ANY_PERIOD, ANY_TIME, ANY_ZONE, st.integers(1, 7), st.dates(date(1990, 1, 1), date(2030, 1, 1)))
    @example(Period.DAILY, utc(2010, 11, 7, 2, 31), ZoneInfo("America/St_Johns"), 1, date(2000, 1, 31))
    @settings(max_examples=500, deadline=None)
    def test_windows_tile_time(self, period: Period, at: datetime, zone: ZoneInfo, weekday: int, anchor: date) -> None:
        def found(moment: datetime) -> tuple[datetime, datetime]:
            return window(period, moment, zone, week_starts_on=weekday, anchor=anchor)

        start, end = found(at)

        assert start <= at < end
        assert found(start) == found(end - INSTANT) == (start, end)
        assert found(end)[0] == end
        assert found(start - INSTANT)[1] == start

    @given(ANY_TIME, ANY_ZONE)
    @settings(max_examples=300, deadline=None)
    def test_a_month_of_the_calendar_begins_on_its_first(self, at: datetime, zone: ZoneInfo) -> None:
        start, end = window(Period.MONTHLY, at, zone)

        assert (day_of(start, zone).day, day_of(end, zone).day) == (1, 1)
        assert day_of(start, zone).month == day_of(at, zone).month

    @given(st.dates(date(1950, 1, 1), date(2060, 1, 1)), st.integers(-600, 600))
    def test_a_month_later_keeps_the_day_or_takes_the_last(self, day: date, months: int) -> None:
        later = months_after(day, months)

        assert (later.year - day.year) * 12 + later.month - day.month == months
        assert later.day == day.day or (later.day < day.day and (later + timedelta(days=1)).day == 1)


class TestMidnight:
    @pytest.mark.parametrize(
        ("name", "day", "begins"),
        [
            ("UTC", date(2026, 3, 1), utc(2026, 3, 1)),
            ("Asia/Kathmandu", date(2026, 3, 1), utc(2026, 2, 28, 18, 15)),
            # Put forward at midnight to one o'clock.
            ("Africa/Cairo", date(2024, 4, 26), utc(2024, 4, 25, 22)),
            ("Asia/Beirut", date(2026, 3, 29), utc(2026, 3, 28, 22)),
            ("America/Sao_Paulo", date(2018, 11, 4), utc(2018, 11, 4, 3)),
            # Put back at one o'clock to midnight, which comes twice.
            ("America/Havana", date(2026, 11, 1), utc(2026, 11, 1, 4)),
            # Put back at midnight to eleven, so that the day before lasts longer.
            ("Asia/Beirut", date(2026, 10, 25), utc(2026, 10, 24, 22)),
            # Put back at a minute past midnight: the day that had begun goes on.
            ("America/St_Johns", date(2010, 11, 7), utc(2010, 11, 7, 2, 30)),
            # Put forward from half past eleven to half past midnight.
            ("America/Toronto", date(1919, 3, 31), utc(1919, 3, 31, 4, 30)),
            # Left out: it began and ended in one instant.
            ("Pacific/Apia", date(2011, 12, 30), utc(2011, 12, 30, 10)),
            ("Pacific/Apia", date(2011, 12, 31), utc(2011, 12, 30, 10)),
        ],
    )
    def test_where_clocks_change(self, name: str, day: date, begins: datetime) -> None:
        assert midnight(day, ZoneInfo(name)) == begins

    def test_a_day_that_had_begun_goes_on(self) -> None:
        zone = ZoneInfo("America/St_Johns")

        at = utc(2010, 11, 7, 2, 45)

        assert shows(at, zone) == datetime.fromisoformat("2010-11-06 23:15")
        assert day_of(at, zone) == date(2010, 11, 7)


class TestADay:
    @pytest.mark.parametrize(
        ("name", "at", "hours"),
        [
            ("Europe/Berlin", utc(2026, 3, 29, 12), 23),
            ("Europe/Berlin", utc(2026, 10, 25, 12), 25),
            ("Australia/Lord_Howe", utc(2026, 4, 5), 24.5),
            ("Australia/Lord_Howe", utc(2026, 10, 4), 23.5),
            ("America/Havana", utc(2026, 11, 1, 12), 25),
            ("Pacific/Apia", utc(2011, 12, 30, 9), 24),
            ("Asia/Kathmandu", utc(2026, 3, 29), 24),
        ],
    )
    def test_lasts_as_long_as_it_lasts(self, name: str, at: datetime, hours: float) -> None:
        start, end = window(Period.DAILY, at, ZoneInfo(name))

        assert end - start == timedelta(hours=hours)


class TestAMonth:
    def test_from_the_thirty_first_does_not_drift(self) -> None:
        zone = ZoneInfo("Europe/Berlin")
        starts = [start for start, _ in walk(Period.MONTHLY, zone, (2023, 2024), anchor=date(2023, 1, 31))]

        days = [f"{shows(start, zone):%m-%d}" for start in starts[13:]]

        assert days == [
            "01-31", "02-29", "03-31", "04-30", "05-31", "06-30", "07-31", "08-31", "09-30", "10-31", "11-30",
            "12-31",
        ]  # fmt: skip

    def test_may_lie_before_its_anchor(self) -> None:
        zone = ZoneInfo("UTC")

        found = window(Period.MONTHLY, utc(2024, 2, 29, 23), zone, anchor=date(2026, 12, 30))

        assert found == (utc(2024, 2, 29), utc(2024, 3, 30))


class TestAnInstant:
    def test_that_comes_twice_is_the_one_its_fold_says(self) -> None:
        zone = ZoneInfo("Europe/Berlin")
        wall = datetime.fromisoformat("2026-10-25 02:30")

        assert instant(wall, zone) == utc(2026, 10, 25, 0, 30)
        assert instant(wall.replace(fold=1), zone) == utc(2026, 10, 25, 1, 30)

    @pytest.mark.parametrize("fold", [0, 1])
    def test_that_never_comes_is_when_the_clocks_passed_it(self, fold: int) -> None:
        wall = datetime.fromisoformat("2026-03-29 02:30:15.000007").replace(fold=fold)

        assert instant(wall, ZoneInfo("Europe/Berlin")) == utc(2026, 3, 29, 1)
