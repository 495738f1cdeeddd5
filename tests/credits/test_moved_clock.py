"""The test clock: what falls due later falls due now, and nowhere but where it is allowed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from credits import refusals
from credits.models import Account, ClockOffset, Hold, Transaction
from credits.services import clock, expiry
from credits.services.locks import read_account
from tests.conftest import Api
from tests.factories import give, hold, spend

DAY = timedelta(days=1)
MOMENT = timedelta(minutes=1)


@pytest.fixture
def movable(settings: Any, database: None) -> None:
    """A clock that may be moved."""
    settings.TEST_CLOCK = True


def command(*arguments: str) -> str:
    printed = StringIO()
    call_command("move_clock", *arguments, stdout=printed)
    return printed.getvalue()


def told(printed: str) -> datetime:
    """Return the moment that the command printed."""
    return datetime.strptime(printed, "The clock shows %Y-%m-%d %H:%M:%S UTC.\n").replace(tzinfo=UTC)


@pytest.mark.usefixtures("movable")
class TestPutForward:
    def test_a_lot_that_expires_tomorrow_has_expired(self, bob: Account) -> None:
        give(bob, 100, expires_at=timezone.now() + DAY)
        clock.move(DAY + MOMENT)

        with pytest.raises(refusals.InsufficientCredits):
            spend(bob, 1)
        assert read_account(bob.pk).balance == 0
        assert [expiry.expire_due_lots(), expiry.expire_due_lots()] == [1, 0]

    def test_to_at_least_a_moment_stays_where_it_is_later_already(self) -> None:
        month, week = (f"{timezone.now() + days:%Y-%m-%dT%H:%M:%SZ}" for days in (31 * DAY, 7 * DAY))

        assert told(command("--at-least", week)) < told(command("--at-least", month))
        shown = told(command("--at-least", week))

        assert shown >= datetime.fromisoformat(month)

    def test_a_hold_times_out_into_its_charge(self, alice: Account) -> None:
        hold(alice, 10, abandonment_charge=3)
        clock.move(timedelta(minutes=16))

        assert expiry.time_out_due_holds() == 1

        alice.refresh_from_db()
        assert (Hold.objects.get().status, alice.balance) == ("timed_out", 97)

    def test_movements_are_recorded_then_and_never_before(self, alice: Account) -> None:
        clock.move(DAY)
        spend(alice, 1)
        clock.reset()
        spend(alice, 1)

        first, second = Transaction.objects.filter(kind="usage").order_by("sequence")
        assert DAY - MOMENT < first.recorded_at - timezone.now() < DAY
        assert second.recorded_at >= first.recorded_at

    def test_a_hold_is_extended_from_then(self, alice: Account, api: Api) -> None:
        clock.move(DAY)
        held = hold(alice, 10)

        answer = api.post(f"/api/v1/holds/{held.id}/extend", {"ttl_seconds": 3600})

        assert answer.status_code == 200
        assert Hold.objects.get().expires_at - clock.now() > timedelta(minutes=59)

    def test_steps_add_up_and_are_taken_back(self) -> None:
        clock.move(DAY)
        shown = clock.move(DAY)

        assert 2 * DAY - MOMENT < shown - timezone.now() <= 2 * DAY
        clock.reset()
        assert clock.moved() is None

    @pytest.mark.parametrize("by", [-DAY, timedelta(), timedelta(days=40_000)])
    def test_it_goes_neither_back_nor_out_of_sight(self, by: timedelta) -> None:
        with pytest.raises(ValueError, match="The clock"):
            clock.move(by)
        assert clock.moved() is None


@pytest.mark.usefixtures("database")
class TestWhereItIsNotAllowed:
    def test_nothing_moves_it(self) -> None:
        with pytest.raises(clock.NoTestClock):
            clock.move(DAY)
        with pytest.raises(clock.NoTestClock):
            clock.reset()
        for arguments in (["+1d"], ["--to", "2099-01-01T00:00:00Z"], ["--reset"]):
            with pytest.raises(CommandError, match="TEST_CLOCK is off"):
                command(*arguments)

    def test_a_row_that_is_there_all_the_same_is_not_even_read(self) -> None:
        ClockOffset.objects.create(offset=DAY)

        with CaptureQueriesContext(connection) as queries:
            assert clock.moved() is None
        assert len(queries) == 0


@pytest.mark.usefixtures("movable")
class TestTheCommand:
    @pytest.mark.parametrize(
        ("step", "by"),
        [("+1d", DAY), ("36h", 1.5 * DAY), ("+90m", timedelta(minutes=90)), ("+2w", 14 * DAY), ("+30s", DAY / 2880)],
    )
    def test_takes_a_step(self, step: str, by: timedelta) -> None:
        shown = told(command(step))

        assert ClockOffset.objects.get().offset == by
        assert by - MOMENT < shown - timezone.now() <= by

    def test_goes_to_a_moment_and_back(self) -> None:
        there = datetime(2099, 12, 1, tzinfo=UTC)

        assert timedelta() <= told(command("--to", "2099-12-01T00:00:00Z")) - there < MOMENT
        assert clock.now() >= there
        assert timezone.now() - told(command("--reset")) < MOMENT
        assert told(command()) <= timezone.now()

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["tomorrow"], "'tomorrow' is no step"),
            (["+1y"], "no step"),
            (["+999999w"], "hundred years"),
            (["--to", "soon"], "no moment"),
            (["--to", "2099-12-01T00:00:00"], "names no zone"),
            (["--to", "2020-01-01T00:00:00Z"], "only goes forward"),
            (["+1d", "--reset"], "not allowed with"),
        ],
    )
    def test_refuses_what_it_does_not_understand(self, arguments: list[str], says: str) -> None:
        with pytest.raises(CommandError, match=says):
            command(*arguments)
        assert clock.moved() is None
