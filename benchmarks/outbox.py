"""What telling the world costs a debit, how fast it is told, and how fast usage is heard. On a NATS of its own."""

from __future__ import annotations

import itertools
import json
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.contests import Contests
from benchmarks.load import drive
from benchmarks.report import Figure
from benchmarks.scene import CONNECTIONS, MANY, many
from benchmarks.serving import Server, served
from billing import metered, standing
from billing.providers.nats import Bus, Message
from billing.services import consumption
from billing.services.relay import Relay, first_unpublished
from credits.models import Event
from credits.services.batch import MOST_ITEMS
from dev.nats import Nats

# So many uses go into a message, as a gateway would send them.
TOGETHER = 100
SILENT = [f"silent-{number}" for number in range(MANY)]


@dataclass
class Outbox:
    """Contests on the scene of the others; so many ``events`` are relayed, so many ``uses`` heard."""

    contests: Contests
    events: int
    uses: int

    def run(self, wanted: set[str]) -> list[Figure]:
        """Run the contests of the wanted figures, and return them."""
        found: list[Figure] = []
        self.contests.accounts(many(), 1)
        for name, contest in (("outbox", self._cost), ("relay", self._relay), ("metered", self._metered)):
            if name in wanted:
                self.contests.say(f"Measuring {name}")
                found += contest()
        return found

    def _cost(self) -> list[Figure]:
        """Debits over HTTP with the outbox, and without it."""
        scene = self.contests.scene
        # Accounts of its own: the audit asks that whoever was told of once is told of always.
        self.contests.accounts(SILENT, 1)
        with served("wsgi", "benchmarks.silent:application", {}, "--blocking-threads", "4") as silent:
            self._silent(silent)
            scene.debits(many())
            turns = [(scene.debits(many()).rate, self._silent(silent)) for _ in range(2 * self.contests.rounds)]
        told, untold = (statistics.median(rates) for rates in zip(*turns, strict=True))
        detail = {"told/s": told, "untold/s": untold}
        says = "debit with its event ÷ without"
        return [Figure("outbox", says, [a / b for a, b in turns], 0.9, detail=detail)]

    def _silent(self, server: Server) -> float:
        scene = self.contests.scene
        makers = itertools.cycle([scene.debit(one) for one in SILENT])
        requests = (make() for make in makers)
        return drive(server.port, requests, 201, seconds=scene.seconds, connections=CONNECTIONS).rate

    def _relay(self) -> list[Figure]:
        """Publish a backlog, each event acknowledged, in the order of each account."""
        scene = self.contests.scene
        while Event.objects.count() < self.events:
            scene.debits(many())
        with _bus() as bus:
            relay = Relay(bus)
            relay.share()
            waiting = Event.objects.count()
            started = time.perf_counter()
            while relay.relay() or first_unpublished() is not None:
                pass
            took = time.perf_counter() - started
            relay.close()
        rate, plain = waiting / took, scene.debits(many()).rate
        detail = {"events/s": rate, "debits/s": plain}
        return [
            Figure("relay", "events relayed, each acknowledged ÷ debits over HTTP", [rate / plain], 1, detail=detail)
        ]

    def _metered(self) -> list[Figure]:
        """Charge usage from NATS, against debits over HTTP."""
        owners = many()
        items = [
            {"account": owners[number % len(owners)], "amount": 1, "trace_id": f"bench-{number}"}
            for number in range(self.uses)
        ]
        with _bus() as bus:
            bus.ensure(standing.METERED)
            bodies = [json.dumps({"items": items[first : first + TOGETHER]}) for first in range(0, self.uses, TOGETHER)]
            bus.publish([[Message(metered.USAGE, str(number), body.encode())] for number, body in enumerate(bodies)])
            rate = _hear(bus, self.uses)
        plain = self.contests.scene.debits(owners).rate
        detail = {"uses/s": rate, "debits/s": plain}
        says = f"usage from NATS, {TOGETHER} a message ÷ debits over HTTP"
        return [Figure("metered", says, [rate / plain], 10, detail=detail)]


def _hear(bus: Bus, uses: int) -> float:
    """Charge so many uses. Returns how many a second."""
    inlet = bus.follow(metered.USAGE, "bench", most_pending=2 * standing.MOST_METERED)
    came = 0
    started = time.perf_counter()
    while came < uses:
        came += consumption.consume_uses(
            bus, inlet, read=metered.read_uses, record=metered.record_uses, told=metered.told,
            most_messages=MOST_ITEMS // TOGETHER, most_uses=MOST_ITEMS,
        )  # fmt: skip
    return came / (time.perf_counter() - started)


@contextmanager
def _bus() -> Iterator[Bus]:
    with TemporaryDirectory(prefix="florin-bench-nats-") as folder:
        server = Nats(Path(folder))
        server.start()
        try:
            with Bus(server.url) as bus:
                yield bus
        finally:
            server.stop()
