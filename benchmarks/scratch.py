"""A database of the benchmark's own, for as long as it runs."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from benchmarks.load import HOST


@contextmanager
def scratch_database() -> Iterator[None]:
    """Create a database beside the one that DATABASE_URL names, point the environment at it, and drop it in the end.

    The rest of the environment becomes production's, but for the addresses of this machine.
    """
    address = urlsplit(os.environ["DATABASE_URL"])
    name = f"florin_bench_{secrets.token_hex(4)}"
    with psycopg.connect(urlunsplit(address), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            os.environ.update(
                DATABASE_URL=urlunsplit(address._replace(path=f"/{name}")),
                DJANGO_SETTINGS_MODULE="config.settings",
                ENVIRONMENT="production",
                ALLOWED_HOSTS=HOST,
                HTTPS_REDIRECT="0",
                TEST_CLOCK="false",
                LOG_LEVEL="WARNING",
            )
            yield
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
