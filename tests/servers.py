"""A pytest plugin: real PostgreSQL and Valkey for the whole run, up before Django reads its settings."""

from __future__ import annotations

import os
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from dev.servers import own_servers, servers

_up = ExitStack()
# What would let a test ask, or tell, somebody outside of this machine.
ELSEWHERE = ("PORTKEY_", "STRIPE_", "PROMETHEUS_", "METRICS_", "SENTRY_", "OTEL_", "NATS_")

# The first of the numbers that runs beside each other have in Valkey, which has sixteen.
VALKEY_DATABASE = 8


def _lane() -> int:
    """Return which of the processes that share this run's tests we are: `make test` has up to four."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Start or join the servers, and set the environment that settings are read from."""
    own = own_servers()
    # Streams have one name each: tests that need NATS have a server of their own (the fixture ``bus``).
    own.pop("NATS_URL", None)
    os.environ.update(_up.enter_context(servers(own=own)))
    # A name that does not exist: Django makes test_… of it, so nothing reaches another database by mistake, and two
    # runs at once have one each.
    address = urlsplit(os.environ["DATABASE_URL"])
    os.environ["DATABASE_URL"] = address._replace(path=f"/florin_{os.getpid()}").geturl()
    os.environ["ENVIRONMENT"] = "development"
    os.environ["SECRET_KEY"] = "only-for-tests"
    for name in [each for each in os.environ if each.startswith(ELSEWHERE)]:
        os.environ.pop(name)
    os.environ["TEST_CLOCK"] = "false"
    # A database of its own number, so that a running `make run` keeps its rate limits and tasks.
    os.environ["REDIS_URL"] = f"{os.environ['REDIS_URL'].rsplit('/', 1)[0]}/{VALKEY_DATABASE + _lane()}"


def pytest_unconfigure() -> None:
    """Let go of the servers; the last to leave stops them."""
    _up.close()
