"""Billing periods: they tile time, keep their day and time of day, and know their number."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from credits.plan.windows import boundary
from subscriptions.periods import number_at, period

INSTANT = timedelta(microseconds=1)
BERLIN = ZoneInfo("Europe/Berlin")
ANY_ZONE = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)
ANY_ANCHOR = st.integers(-300_000_000 * 10**6, 2_000_000_000 * 10**6).map(
    lambda microseconds: datetime.fromtimestamp(0, UTC) + timedelta(microseconds=microseconds)
)
ANY_NUMBER = st.integers(-120, 600)
ANY_LENGTH = st.sampled_from([1, 3, 6, 12])


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]  # the parts of a datetime


class TestAnyAnchor:
    @given(ANY_ANCHOR, ANY_ZONE, ANY_NUMBER, ANY_LENGTH)
    # In an hour that comes twice; and before a day that Samoa left out.
    @example(utc(2026, 10, 25, 1, 30), BERLIN, 12, 1)
    @example(utc(2011, 10, 30, 20), ZoneInfo("Pacific/Apia"), 2, 1)
    @settings(max_examples=500, deadline=None)
    def test_periods_tile_time_and_know_their_number(
        self, anchor: datetime, zone: ZoneInfo, number: int, months: int
    ) -> None:
        start, end = period(anchor, number, zone, months)

        assert boundary(anchor, 0, zone, months=months) == anchor
        assert timedelta(days=27 * months) < end - start < timedelta(days=32 * months)
        assert period(anchor, number + 1, zone, months)[0] == end
        assert number_at(anchor, start, zone, months) == number_at(anchor, end - INSTANT, zone, months) == number
        assert number_at(anchor, start - INSTANT, zone, months) == number - 1

    @given(ANY_ANCHOR, ANY_ANCHOR, ANY_ZONE, ANY_LENGTH)
    @settings(max_examples=300, deadline=None)
    def test_any_moment_lies_in_the_period_of_its_number(
        self, anchor: datetime, at: datetime, zone: ZoneInfo, months: int
    ) -> None:
        start, end = period(anchor, number_at(anchor, at, zone, months), zone, months)

        assert start <= at < end

    @given(ANY_ANCHOR, ANY_ZONE, ANY_NUMBER, ANY_LENGTH)
    @settings(max_examples=300, deadline=None)
    def test_a_boundary_keeps_the_time_of_day_and_the_day_or_the_last(
        self, anchor: datetime, zone: ZoneInfo, number: int, months: int
    ) -> None:
        first = anchor.astimezone(zone).replace(tzinfo=None)
        start = boundary(anchor, number, zone, months=months)
        shown = start.astimezone(zone).replace(tzinfo=None)

        if shown.time() == first.time():
            assert shown.day == first.day or (shown.day < first.day and (shown + timedelta(days=1)).day == 1)
        else:
            # Only where the clocks were put forward right then.
            before = (start - INSTANT).astimezone(zone).replace(tzinfo=None)
            assert shown - before > timedelta(minutes=1)


class TestFromTheThirtyFirst:
    def test_it_clamps_and_does_not_drift(self) -> None:
        anchor = datetime(2024, 1, 31, 9, 30, tzinfo=BERLIN)

        starts = [boundary(anchor, number, BERLIN).astimezone(BERLIN) for number in range(1, 14)]

        assert [f"{start:%y-%m-%d %H:%M}" for start in starts] == [
            "24-02-29 09:30", "24-03-31 09:30", "24-04-30 09:30", "24-05-31 09:30", "24-06-30 09:30",
            "24-07-31 09:30", "24-08-31 09:30", "24-09-30 09:30", "24-10-31 09:30", "24-11-30 09:30",
            "24-12-31 09:30", "25-01-31 09:30", "25-02-28 09:30",
        ]  # fmt: skip

    def test_a_leap_day_comes_back_every_fourth_year(self) -> None:
        anchor = utc(2024, 2, 29, 12)

        starts = [boundary(anchor, number, ZoneInfo("UTC"), months=12) for number in range(1, 5)]

        assert [(start.year, start.day) for start in starts] == [(2025, 28), (2026, 28), (2027, 28), (2028, 29)]


class TestWhereClocksChange:
    def test_the_local_hour_stays(self) -> None:
        anchor = utc(2026, 3, 1, 8)

        assert period(anchor, 1, BERLIN) == (utc(2026, 4, 1, 7), utc(2026, 5, 1, 7))

    def test_an_hour_that_never_comes_is_when_it_was_passed(self) -> None:
        anchor = datetime(2026, 2, 28, 2, 30, tzinfo=BERLIN)

        assert boundary(anchor, 1, BERLIN) == utc(2026, 3, 28, 1, 30)
        assert boundary(datetime(2026, 1, 29, 2, 30, tzinfo=BERLIN), 2, BERLIN) == utc(2026, 3, 29, 1)

    def test_an_hour_that_comes_twice_is_the_one_the_anchor_was(self) -> None:
        for anchor in (utc(2025, 10, 26, 0, 30), utc(2025, 10, 26, 1, 30)):
            assert boundary(anchor, 0, BERLIN) == anchor
            assert boundary(anchor, 1, BERLIN) == utc(2025, 11, 26, 1, 30)

    @pytest.mark.parametrize("day", [29, 30])
    def test_a_day_that_was_left_out_starts_with_the_next(self, day: int) -> None:
        zone = ZoneInfo("Pacific/Apia")
        anchor = datetime(2011, 11, day, 12, tzinfo=zone)

        starts = [boundary(anchor, 1, zone).astimezone(zone)]

        assert [f"{start:%d %H:%M}" for start in starts] == ["29 12:00" if day == 29 else "31 00:00"]
