"""Where the rivals meet: a scratch database, both servers, and who debits what."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import django
import psycopg
from psycopg import sql

from benchmarks import load
from benchmarks.load import Load, drive
from benchmarks.serving import Server, served

CONNECTIONS = 8
MANY = 1_000
BODY = {"amount": 1, "description": "One answer"}


@contextmanager
def scratch_database() -> Iterator[str]:
    """Create a database beside the one that DATABASE_URL names, point DATABASE_URL at it, and drop it in the end."""
    address = urlsplit(os.environ["DATABASE_URL"])
    name = f"florin_bench_{secrets.token_hex(4)}"
    scratch = urlunsplit(address._replace(path=f"/{name}"))
    server = urlunsplit(address)
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    os.environ["DATABASE_URL"] = scratch
    try:
        yield scratch
    finally:
        os.environ["DATABASE_URL"] = server
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


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
def set_up(seconds: float) -> Iterator[Scene]:
    """Make the database, migrate it, start both servers; end and drop everything afterwards."""
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(scratch_database())
        # As in production, but for the addresses of this machine.
        os.environ.update(
            DJANGO_SETTINGS_MODULE="config.settings",
            ENVIRONMENT="production",
            ALLOWED_HOSTS=load.HOST,
            HTTPS_REDIRECT="0",
            LOG_LEVEL="WARNING",
        )
        django.setup()
        stack.callback(_disconnect)
        token, naive_token = _prepare(), secrets.token_urlsafe(32)
        naive_environment = {
            "NAIVE_TOKEN": naive_token,
            "NAIVE_DATABASE_URL": url.replace("postgresql://", "postgresql+psycopg://", 1),
        }
        os.environ.update(naive_environment)
        from benchmarks import naive

        naive.Base.metadata.create_all(naive.engine)
        naive.engine.dispose()
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="florin-bench-")))
        ours = stack.enter_context(served("wsgi", "config.wsgi:application", {}, "--blocking-threads", "4"))
        theirs = stack.enter_context(served("asgi", "benchmarks.naive:app", naive_environment))
        yield Scene(ours, theirs, token, naive_token, folder, seconds)


def _prepare() -> str:
    """Migrate the scratch database and return an API key for it."""
    from django.core.management import call_command

    from credits.models import Scope
    from credits.services.keys import create_api_key

    call_command("migrate", verbosity=0)
    return create_api_key(name="bench", scopes=[Scope.CREDITS_READ, Scope.CREDITS_WRITE])[1]


def _disconnect() -> None:
    from django.db import connections

    connections.close_all()
