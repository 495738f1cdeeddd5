"""How long staff waits: the desk's pages over an account of a million movements, beside a hundred thousand others."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.test import Client, override_settings

from benchmarks.history import write_history
from benchmarks.load import HOST
from benchmarks.report import Figure
from credits.models.accounts import account_id
from credits.services.overview import sum_up
from credits.services.totals import roll_up_statistics

PATIENCE_MS = 300.0
ROUNDS = 9
SLICE = 10_000
STORAGES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}


def run(say: Callable[[str], None], *, movements: int, accounts: int) -> list[Figure]:
    """Write the data set and measure each page in milliseconds, in this process."""
    busy = account_id("desk-busy", "credits")
    say(f"Writing {accounts:,} accounts and one of {movements:,} movements")
    write_history([(busy, "desk-busy")], movements)
    for start in range(0, accounts, SLICE):
        names = [f"desk-{number}" for number in range(start, min(start + SLICE, accounts))]
        write_history([(account_id(name, "credits"), name) for name in names], 2, bought=1000)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("ANALYZE")
    roll_up_statistics()
    sum_up()
    pages = {
        "account page": f"/admin/credits/account/{busy}/change/",
        "its movements of one kind": f"/admin/credits/account/{busy}/change/?kind=refund",
        "list of accounts": "/admin/credits/account/",
        "list of movements": "/admin/credits/transaction/",
        "movements of an account": "/admin/credits/transaction/?account=desk-busy",
        "find a name begun": "/admin/find/?q=desk-99",
        "find nothing": "/admin/find/?q=req-nowhere",
        "front page": "/admin/",
    }
    with override_settings(STORAGES=STORAGES):
        client = Client(SERVER_NAME=HOST)
        client.force_login(User.objects.create_superuser("desk-bench"))
        figures = [Figure("desk", f"ms: {name}", _times(client, path), PATIENCE_MS, True)
                   for name, path in pages.items()]  # fmt: skip
    cache.clear()
    return figures


def _times(client: Client, path: str) -> list[float]:
    rounds = []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        assert client.get(path).status_code in {200, 302}, path
        rounds.append((time.perf_counter() - began) * 1000)
    return rounds[1:]
