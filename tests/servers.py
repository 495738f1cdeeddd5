"""A pytest plugin: real PostgreSQL and Valkey for the whole run, up before Django reads its settings.

A parallel run, as `make test` makes one, has them for each of its shares.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from dev.servers import Server, own_servers, servers, servers_of_share

_up = ExitStack()
# What would let a test ask, or tell, somebody outside of this machine.
ELSEWHERE = ("PORTKEY_", "STRIPE_", "PROMETHEUS_", "METRICS_", "SENTRY_", "OTEL_", "NATS_")
# Whether somebody else runs what the tests are to use.
_given = any(os.environ.get(variable) for variable in ("DATABASE_URL", "REDIS_URL"))


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Start or join the servers, and set the environment that settings are read from."""
    os.environ.update(_up.enter_context(servers(own=_own())))
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
    os.environ["REDIS_URL"] = os.environ["REDIS_URL"].rsplit("/", 1)[0] + "/9"


def _own() -> dict[str, Server]:
    """Return the servers that are ours to run.

    The first share of a parallel run has those of the process that shared it out. Each other has its own: events wait
    for the oldest transaction of the whole server, so that tests of two databases there would wait for each other.
    """
    share = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    own = servers_of_share(share) if share else own_servers()
    # Streams have one name each: tests that need NATS have a server of their own (the fixture ``bus``).
    own.pop("NATS_URL", None)
    return own


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """Share nothing out where the servers are somebody else's, of which there is one each."""
    return 1 if _given else None


def pytest_unconfigure() -> None:
    """Let go of the servers; the last to leave stops them."""
    _up.close()
