"""A NATS server of a test's own, which it may stop, kill and wipe; and who listens to what the relay publishes."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from billing.providers.nats import Bus, Inlet, Message
from billing.standing import HEARD, METERED
from dev import processes
from dev.nats import Nats
from tests.processes import ROOT, environment


class Server(Nats):
    """The server. What it keeps is in its folder."""

    def kill(self) -> None:
        """End it as a power cut would."""
        pid = self._pid()
        assert pid is not None
        processes.end([pid], sig=signal.SIGKILL)

    def wipe(self) -> None:
        """Lose everything it kept, and come back."""
        self.kill()
        shutil.rmtree(self.folder / "data")
        self.start()

    def publish(self, subject: str, body: Any, *, name: str = "") -> str:
        """Publish a message as another service would. Returns its id."""
        message = Message(subject, name or str(uuid4()), body if isinstance(body, bytes) else json.dumps(body).encode())
        with Bus(self.url) as bus:
            bus.ensure(HEARD)
            bus.ensure(METERED)
            bus.publish([[message]])
        return message.id


@dataclass
class Books:
    """What a consumer of ours would keep: each account's movements, each once, and whether they came in order."""

    movements: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    seen: set[int] = field(default_factory=set)
    deliveries: int = 0

    def hear(self, told: dict[str, Any]) -> None:
        """Take an event in, once by its id."""
        self.deliveries += 1
        if told["event_id"] in self.seen:
            return
        self.seen.add(told["event_id"])
        if "amount" in told:
            self.movements[told["merchant_id"]].append(told["sequence"])


def listen(inlet: Inlet, books: Books, *, until: int, seconds: float = 30) -> Books:
    """Take events into the books until they have heard of so many, or nothing came for long."""
    while len(books.seen) < until:
        found = inlet.take(500, seconds=seconds)
        assert found, f"Only {len(books.seen)} of {until} events came."
        for delivery in found:
            books.hear(json.loads(delivery.body))
        inlet.acknowledge(found)
    return books


@contextmanager
def standing(command: Sequence[str], url: str, **changed: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the relay or a consumer on the test database, until the block is left."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", *command], cwd=ROOT, env=environment(NATS_URL=url, LOG_LEVEL="ERROR", **changed)
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=20)
