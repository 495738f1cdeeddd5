"""Where the rivals meet: both servers on the scratch database, and who debits what."""

from __future__ import annotations

import itertools
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from django.core.management import call_command
from django.db import connections

from benchmarks import load
from benchmarks.load import Load, drive
from benchmarks.serving import PROJECT, Server, served
from credits.models import Scope
from credits.services.keys import create_api_key

CONNECTIONS = 8
MANY = 1_000
BODY = {"amount": 1, "description": "One answer"}
USE = {"feature": "answer", "quantity": 1, "description": "One answer"}


@dataclass(slots=True)
class Scene:
    """Both services up on one database. ``accounts`` tells for each kind of account whom requests go to."""

    ours: Server
    naive: Server
    token: str
    naive_token: str
    folder: Path
    seconds: float
    counter: Iterator[int] = field(default_factory=itertools.count)
    client_share: list[float] = field(default_factory=list)
    cpu: dict[str, list[float]] = field(default_factory=dict)

    def debit(self, external_id: str) -> Callable[[], bytes]:
        """Return a maker of debits of one account, each with an Idempotency-Key of its own."""
        body = json.dumps(BODY, separators=(",", ":")).encode()
        key = "florin-bench-"
        made = load.post(f"/api/v1/accounts/{external_id}/debits", self.token, body, f"Idempotency-Key: {key}%016d")
        return lambda: made % next(self.counter)

    def use(self, external_id: str) -> Callable[[], bytes]:
        """Return a maker of priced uses of one account, each with an Idempotency-Key of its own."""
        body = json.dumps({"account": external_id, "unit": "credits", **USE}, separators=(",", ":")).encode()
        made = load.post("/api/v1/usage", self.token, body, "Idempotency-Key: florin-bench-%016d")
        return lambda: made % next(self.counter)

    def uses(self, external_ids: list[str]) -> Load:
        """Charge a priced use to these accounts in turn over all connections."""
        return self._drive("priced", self.ours, [self.use(one) for one in external_ids])

    def deduct(self, user_id: str) -> Callable[[], bytes]:
        """Return a maker of the naive design's requests for one user."""
        body = json.dumps({"user_id": user_id, **BODY}, separators=(",", ":")).encode()
        made = load.post("/deduct", self.naive_token, body)
        return lambda: made

    def debits(self, external_ids: list[str]) -> Load:
        """Debit these accounts in turn over all connections."""
        return self._drive("ours", self.ours, [self.debit(one) for one in external_ids])

    def deducts(self, user_ids: list[str]) -> Load:
        """Ask the naive design for the same."""
        return self._drive("naive", self.naive, [self.deduct(one) for one in user_ids])

    def _drive(self, name: str, server: Server, makers: list[Callable[[], bytes]]) -> Load:
        requests = (make() for make in itertools.cycle(makers))
        before = server.cpu_seconds()
        done = drive(server.port, requests, 201, seconds=self.seconds, connections=CONNECTIONS)
        after = server.cpu_seconds()
        self.client_share.append(done.client_seconds / done.seconds)
        self.note_cpu(name, before, after, done.answered)
        self.note_cpu("client", 0.0, done.client_seconds, done.answered)
        return done

    def note_cpu(self, name: str, before: float | None, after: float | None, requests: int) -> None:
        """Remember what a request cost its server in processor time."""
        if before is not None and after is not None:
            self.cpu.setdefault(name, []).append((after - before) / requests * 1e6)


def many(count: int = MANY) -> list[str]:
    """Return the owners whose accounts have next to no history."""
    return [f"many-{number}" for number in range(count)]


@contextmanager
def set_up(*, seconds: float) -> Iterator[Scene]:
    """Migrate the scratch database and start both services; end them afterwards."""
    naive_token = secrets.token_urlsafe(32)
    naive_environment = {
        "NAIVE_TOKEN": naive_token,
        "NAIVE_DATABASE_URL": os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1),
    }
    with ExitStack() as stack:
        stack.callback(connections.close_all)
        call_command("migrate", verbosity=0)
        _, token = create_api_key(name="bench", scopes=[Scope.CREDITS_READ, Scope.CREDITS_WRITE])
        subprocess.run(
            [sys.executable, "-m", "benchmarks.naive"], cwd=PROJECT, env={**os.environ, **naive_environment}, check=True
        )
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="florin-bench-")))
        ours = stack.enter_context(served("wsgi", "config.wsgi:application", {}, "--blocking-threads", "4"))
        theirs = stack.enter_context(served("asgi", "benchmarks.naive:app", naive_environment))
        yield Scene(ours, theirs, token, naive_token, folder, seconds)
