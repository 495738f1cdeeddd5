"""The service's other processes on the test database, and waiting for what they do there."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from django.conf import settings
from django.db import connection
from django.utils import timezone

ROOT = Path(__file__).parent.parent
SECONDS = 30


def environment(**changed: str) -> dict[str, str]:
    """Return the environment in which a process of the service works on the test database."""
    address = settings.DATABASES["default"]
    url = f"postgresql://{address['USER']}:{address['PASSWORD']}@{address['HOST']}:{address['PORT']}"
    return {**os.environ, "DATABASE_URL": f"{url}/{connection.settings_dict['NAME']}", **changed}


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to stop, and stop it where it does not: Celery waits for its pool, sometimes for ever."""
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def celery(*arguments: str, **changed: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker or beat, until the block is left."""
    command = [sys.executable, "-m", "celery", "-A", "config", *arguments, "--loglevel", "CRITICAL"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment(**changed), start_new_session=True)
    try:
        yield process
    finally:
        end(process)


@contextmanager
def web(*, workers: str = "1", **changed: str) -> Iterator[str]:
    """Run the web server, until the block is left. Returns its address once it answers."""
    port = free_port()
    command = ["-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", port,
               "--workers", workers, "--no-ws", "--blocking-threads", "4", "--log-level", "error",
               "--workers-kill-timeout", "3", "config.wsgi:application"]  # fmt: skip
    with listening(command, port, **changed) as base:
        yield base


@contextmanager
def runserver(**changed: str) -> Iterator[str]:
    """Run Django's own development server, until the block is left. Returns its address once it answers."""
    port = free_port()
    with listening(["manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"], port, **changed) as base:
        yield base


def free_port() -> str:
    """Return a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


@contextmanager
def listening(command: list[str], port: str, **changed: str) -> Iterator[str]:
    """Run a server, until the block is left. Returns its address once it answers."""
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=environment(**changed), start_new_session=True)
    base = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(transport=httpx.HTTPTransport(retries=12)) as client:
            assert client.get(f"{base}/health").status_code == 200
        yield base
    finally:
        end(process)


def until(true: Callable[[], bool], otherwise: str) -> None:
    """Wait until something has become true in the database, which also does the waiting."""
    deadline = timezone.now().timestamp() + SECONDS
    with connection.cursor() as cursor:
        while timezone.now().timestamp() < deadline:
            if true():
                return
            cursor.execute("SELECT pg_sleep(0.05)")
    raise AssertionError(otherwise)


def until_alone() -> None:
    """Wait until no other session of this database is in a transaction, as that of a process killed just now."""
    others = (
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL AND backend_type = 'client backend')"
    )

    until(lambda: not _holds(others), "Somebody else is in a transaction.")


def until_somebody_waits() -> None:
    """Wait until a session of this database waits for a lock: other tests run on the same server."""
    waits = (
        "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)"
        " WHERE NOT granted AND datname = current_database())"
    )
    until(lambda: _holds(waits), "Nobody waits.")


def _holds(question: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(question)
        return bool(cursor.fetchone()[0])
