"""The relay on a real NATS: killed, cut off and wiped, it loses nothing, and each account's events are in order."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from django.core.management import call_command
from django.db import connection

from billing.models import PublishedTotal, RelayLane
from billing.providers.nats import Bus, BusError
from billing.services import relay
from billing.services.relay import LANES, PUBLISHED, Relay
from credits.models import Account, Event
from tests.bus import Books, Server, listen, standing
from tests.concurrency.test_event_order import uncommitted
from tests.factories import give, make_account, spend
from tests.processes import ROOT, environment, until
from tests.threads import at_once


@pytest.fixture
def accounts(committed: None) -> list[Account]:
    return [make_account(external_id=f"merchant-{number}", balance=1000) for number in range(5)]


@contextmanager
def relaying(bus: Bus) -> Iterator[Relay]:
    """Relay in this process, with every free lane."""
    made = Relay(bus)
    made.share()
    yield made
    made.close()


def drain(made: Relay) -> None:
    """Publish until everything is."""
    while made.relay() or relay.first_unpublished() is not None:
        pass


def heard(nats: Server, *, durable: str = "books", books: Books | None = None) -> Books:
    """Return what a consumer's books hold when it has heard of every event."""
    with Bus(nats.url) as bus:
        bus.ensure(PUBLISHED)
        inlet = bus.follow("evt.credits.*", durable, most_pending=5000, stream=PUBLISHED.name)
        return listen(inlet, books or Books(), until=Event.objects.count())


def movements_of(accounts: list[Account]) -> dict[str, list[int]]:
    """Return the numbers of what each account moved."""
    for account in accounts:
        account.refresh_from_db()
    return {account.external_id: list(range(1, account.sequence + 1)) for account in accounts}


class TestTheRelay:
    def test_publishes_each_event_under_its_id(self, committed: None, bus: Bus) -> None:
        account = make_account(external_id="m-1", balance=100)
        spend(account, 1)
        with relaying(bus) as made:
            drain(made)

        found = bus.follow("evt.credits.*", "books", most_pending=100, stream=PUBLISHED.name).take(10, seconds=5)
        events = Event.objects.order_by("pk")
        assert [(each.subject, each.id) for each in found] == [(event.type, str(event.pk)) for event in events]
        assert json.loads(found[2].body)["new_balance"] == 99
        assert dict(PublishedTotal.objects.values_list("type", "events"))["evt.credits.consumed"] == 1

    def test_publishes_exact_amounts(self, committed: None, bus: Bus) -> None:
        account = make_account(external_id="m-1", unit="USD", balance=1)
        with relaying(bus) as made:
            drain(made)
            spend(account, "0.000125")  # type: ignore[arg-type]
            drain(made)

        last = bus.follow("evt.credits.consumed", "books", most_pending=100).take(1, seconds=5)[0]
        assert b'"amount": -0.000125' in last.body

    def test_killed_between_acknowledgement_and_writing_it_down_publishes_nothing_twice(
        self, accounts: list[Account], nats: Server
    ) -> None:
        dying = subprocess.run(
            [sys.executable, "-m", "tests.events.dying_relay"],
            cwd=ROOT,
            env=environment(NATS_URL=nats.url),
            check=False,
        )
        assert dying.returncode == -9
        assert set(RelayLane.objects.values_list("position", flat=True)) == {0}

        with standing(["relay_events"], nats.url):
            at_once([partial(spend, account, 1) for account in accounts])
            books = heard(nats)
            until(lambda: relay.first_unpublished() is None, "It never came to an end.")

        assert books.movements == movements_of(accounts)
        assert books.deliveries == Event.objects.count()

    def test_waits_out_an_outage_of_nats(self, accounts: list[Account], nats: Server) -> None:
        books = Books()
        with standing(["relay_events"], nats.url):
            heard(nats, books=books)
            nats.kill()
            for account in accounts:
                spend(account, 1)
            give(accounts[0], 5)
            nats.start()
            heard(nats, books=books)

        assert books.movements == movements_of(accounts)

    def test_fills_a_stream_that_was_wiped_from_the_beginning(self, accounts: list[Account], nats: Server) -> None:
        books = Books()
        with standing(["relay_events"], nats.url):
            heard(nats, books=books)
            nats.wipe()
            for account in accounts:
                spend(account, 1)
            heard(nats, books=books)
            assert heard(nats, durable="newcomer").movements == movements_of(accounts)

        assert books.movements == movements_of(accounts)

    def test_publishes_again_from_where_it_is_told(self, accounts: list[Account], nats: Server, bus: Bus) -> None:
        told = Event.objects.count()
        with relaying(bus) as made:
            drain(made)
            call_command("relay_events", first=Event.objects.order_by("pk").values_list("pk", flat=True)[told - 3])
            drain(made)

        found = bus.follow("evt.credits.*", "books", most_pending=100, stream=PUBLISHED.name).take(100, seconds=5)
        assert len(found) == told + 3
        again = sorted(json.loads(each.body)["event_id"] for each in found[told:])
        assert again == sorted(Event.objects.values_list("pk", flat=True))[-3:]

    def test_two_share_the_work_and_neither_does_the_others(self, accounts: list[Account], nats: Server) -> None:
        with standing(["relay_events"], nats.url), standing(["relay_events"], nats.url):
            at_once([lambda: [spend(account, 1) for account in accounts * 4] for _ in range(3)])
            books = heard(nats)
            until(lambda: relay.first_unpublished() is None, "They never came to an end.")

        assert books.movements == movements_of(accounts)
        assert books.deliveries == Event.objects.count() == sum(PublishedTotal.objects.values_list("events", flat=True))

    def test_leaves_its_lanes_to_the_others(self, accounts: list[Account], bus: Bus) -> None:
        with relaying(bus) as made:
            assert made.held == set(range(LANES))
            with standing(["relay_events"], bus._url):
                until(lambda: _present() == 2, "The second never came.")
                made.share()
                assert len(made.held) == LANES // 2
            made.share()
            assert made.held == set(range(LANES))

    def test_skips_nothing_of_sessions_that_commit_out_of_order(self, accounts: list[Account], nats: Server) -> None:
        early, late = accounts[:2]
        with standing(["relay_events"], nats.url):
            books = heard(nats)
            with uncommitted(partial(spend, early, 1)):
                spend(late, 1)
            heard(nats, books=books)

        assert books.movements == movements_of(accounts)

    def test_is_not_moved_by_what_nats_did_not_acknowledge(
        self, accounts: list[Account], nats: Server, bus: Bus
    ) -> None:
        with relaying(bus) as made:
            drain(made)
            before = list(RelayLane.objects.order_by("lane").values_list("position", flat=True))
            spend(accounts[0], 1)
            nats.kill()
            with pytest.raises(BusError):
                drain(made)

        assert list(RelayLane.objects.order_by("lane").values_list("position", flat=True)) == before


def _present() -> int:
    with connection.cursor() as cursor:
        cursor.execute(relay.RELAYS, [relay.PRESENT])
        return int(cursor.fetchone()[0])
