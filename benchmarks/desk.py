"""How long staff waits: the desk's pages over an account of a million movements, beside a hundred thousand others;

its files, of a million lines, and what memory they take; and the largest bulk adjustment there may be.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from benchmarks.history import write_history
from benchmarks.load import HOST
from benchmarks.report import Figure
from credits.models.accounts import account_id
from credits.plan import Actor
from credits.services import bulk
from credits.services.bulk import MOST_LINES
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
        # As autovacuum does of itself: without it the index by time knows nothing of the new rows.
        cursor.execute("VACUUM ANALYZE")
    roll_up_statistics()
    sum_up()
    pages = {
        "account page": f"/admin/credits/account/{busy}/change/",
        "its movements of one kind": f"/admin/credits/account/{busy}/change/?kind=refund",
        "list of accounts": "/admin/credits/account/",
        "accounts in debt": "/admin/credits/account/?condition=debt",
        "list of lots": "/admin/credits/grant/",
        "open lots by category": "/admin/credits/grant/?is_open__exact=1&category__exact=paid",
        "list of holds": "/admin/credits/hold/",
        "staff acts": "/admin/credits/staffact/",
        "open lots by what was paid": "/admin/credits/grant/?is_open__exact=1&paid_in=EUR",
        "spent today": _moved("spent", 0),
        "spent in thirty days": _moved("spent", 29),
        "expired in thirty days": _moved("expired", 29),
        "list of movements": "/admin/credits/transaction/",
        "movements of an account": "/admin/credits/transaction/?account=desk-busy",
        "find a name begun": "/admin/find/?q=desk-99",
        "find nothing": "/admin/find/?q=req-nowhere",
        "accounts by a word of their ids": "/admin/credits/account/?q=busy",
        "accounts by a word that all have": "/admin/credits/account/?q=desk",
        "front page": "/admin/",
    }
    with override_settings(STORAGES=STORAGES):
        client = Client(SERVER_NAME=HOST)
        client.force_login(User.objects.create_superuser("desk-bench"))
        figures = [Figure("desk", f"ms: {name}", _times(client, path), PATIENCE_MS, True)
                   for name, path in pages.items()]  # fmt: skip
        figures.append(Figure("desk", "queries: account page", [_queries(client, pages["account page"])], 20.0, True))
        statement = f"/admin/credits/account/{busy}/statement/?since=2000-01-01&until=2100-01-01&format=csv"
        every = "/admin/reports/movements/?since=2000-01-01&until=2100-01-01&format=csv"
        for name, path in (("statement", statement), ("report of every movement", every)):
            say(f"Taking the {name} as a file")
            figures += _file(client, name, path)
        for name in ("trial-balance", "liability", "revenue", "earned", "credits", "usage"):
            figures.append(_report(client, name))
    say(f"Adjusting {min(MOST_LINES, accounts):,} accounts at once")
    figures += _bulk(min(MOST_LINES, accounts))
    cache.clear()
    return figures


def _moved(family: str, days: int) -> str:
    """Return the list of a figure of the front page."""
    today = timezone.now().date()
    days_of = f"day_from={today - timedelta(days=days)}&day_to={today}"
    return f"/admin/credits/transaction/?family={family}&account__unit__code__exact=credits&{days_of}"


def _queries(client: Client, path: str) -> float:
    with CaptureQueriesContext(connection) as queries:
        client.get(path)
    return float(len(queries))


def _report(client: Client, name: str) -> Figure:
    """Return how long a report of a year takes. It is read now and then, and may take its time."""
    began = time.perf_counter()
    assert client.get(f"/admin/reports/{name}/").status_code == 200
    return Figure("desk", f"s: report {name} of a year", [time.perf_counter() - began], 30.0, True)


def _file(client: Client, name: str, path: str) -> list[Figure]:
    """Take a file as it streams. Returns how long it took and how much memory it had at the most."""
    answer: Any = client.get(path)
    before = most = _memory()
    began, lines = time.perf_counter(), 0
    for number, part in enumerate(answer.streaming_content):
        lines += part.count(b"\n")
        if number % 1000 == 0:
            most = max(most, _memory())
    seconds = time.perf_counter() - began
    return [
        Figure("desk", f"s: {name}, {lines:,} lines", [seconds], 600.0, True),
        Figure("desk", f"MB more at most: {name}", [(most - before) / 2**20], 32.0, True),
    ]


def _memory() -> int:
    """Return how many bytes of memory this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _bulk(lines: int) -> list[Figure]:
    asked = [bulk.Asked(number + 1, f"desk-{number}", "5", "Sorry for the outage") for number in range(lines)]
    why = bulk.Why(Actor("staff", "0", "bench"), "goodwill")
    began = time.perf_counter()
    made = bulk.check_bulk(file_name="bench.csv", unit="credits", lines=asked, why=why)
    checked = time.perf_counter()
    bulk.confirm_bulk(bulk=made.pk, actor=why.actor)
    assert bulk.apply_running_bulks() == lines
    applied = time.perf_counter()
    back = bulk.undo_bulk(bulk=made.pk, actor=why.actor)
    foreseen = time.perf_counter()
    bulk.confirm_bulk(bulk=back.pk, actor=why.actor)
    assert bulk.apply_running_bulks() == lines
    return [
        Figure("desk", f"s: check {lines:,} lines", [checked - began], 60.0, True),
        Figure("desk", f"s: apply {lines:,} lines", [applied - checked], 300.0, True),
        Figure("desk", f"s: prepare to take back {lines:,} lines", [foreseen - applied], 60.0, True),
        Figure("desk", f"s: take back {lines:,} lines", [time.perf_counter() - foreseen], 300.0, True),
    ]


def _times(client: Client, path: str) -> list[float]:
    rounds = []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        assert client.get(path).status_code in {200, 302}, path
        rounds.append((time.perf_counter() - began) * 1000)
    return rounds[1:]
