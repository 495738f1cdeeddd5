"""Two clocks that go together: where the fake's dashboard lets time pass, the service's test clock does too."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
from django.utils import timezone

from credits.models import ClockOffset
from dev.processes import free_port
from tests.billing.conftest import DAY, START, Shop
from tests.fakes.stripe import FakeStripe
from tests.processes import ROOT, SECONDS, environment


@contextmanager
def program(port: int, moves: str, environs: dict[str, str]) -> Iterator[httpx.Client]:
    """Run the fake as a program, until the block is left."""
    command = [sys.executable, "-m", "tests.fakes.stripe", "--port", str(port), "--moves", moves]
    process = subprocess.Popen(command, cwd=ROOT, env=environs)
    try:
        transport = httpx.HTTPTransport(retries=12)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=transport, timeout=SECONDS) as client:
            yield client
    finally:
        process.terminate()
        process.wait(timeout=SECONDS)


def clock_of(dashboard: httpx.Client) -> datetime:
    """Return what the dashboard's clock says, to the minute."""
    found = re.search(r"Its clock says (.*?) UTC", dashboard.get("/dashboard").text)
    assert found
    return datetime.strptime(found[1], "%d %b %Y %H:%M").replace(tzinfo=UTC)


def now_of_the_books() -> datetime:
    return timezone.now() + ClockOffset.objects.get().offset


class TestTimeThatTheDashboardLetsPass:
    def test_is_told_before_it_passes_here(self, fake: FakeStripe, shop: Shop) -> None:
        sub, url, moves = shop.subscribed(), f"{fake.url}/dashboard", []
        fake.on_move = lambda until: moves.append((until, fake.clock.now()))

        for action in ("day", "renew", "month", "cancel"):
            assert httpx.post(url, data={"action": action, "id": sub.id}).status_code == 303

        end = sub["items"].data[0].current_period_end
        assert moves == [(START + DAY, START), (end, START + DAY), (end + 31 * DAY, end)]
        assert fake.clock.now() == end + 31 * DAY

    def test_takes_the_clock_of_the_books_along(self, committed: None) -> None:
        """As `make run` starts it: a program of its own, and a command that moves the other clock."""
        port, environs = free_port(), environment(TEST_CLOCK="true")
        moves = shlex.join([sys.executable, "manage.py", "move_clock", "--at-least"])
        with program(port, moves, environs) as dashboard:
            assert dashboard.post("/dashboard", data={"action": "month"}).status_code == 303

            assert clock_of(dashboard) <= now_of_the_books()
            assert clock_of(dashboard) > timezone.now() + timedelta(days=30)

    def test_does_not_pass_where_the_other_clock_stays(self, committed: None) -> None:
        port, environs = free_port(), environment(TEST_CLOCK="false")
        moves = shlex.join([sys.executable, "manage.py", "move_clock", "--at-least"])
        with program(port, moves, environs) as dashboard:
            before = clock_of(dashboard)

            assert "TEST_CLOCK is off" in dashboard.post("/dashboard", data={"action": "month"}).text

            assert clock_of(dashboard) - before < timedelta(days=1)
