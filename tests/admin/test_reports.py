"""Reports tell the ledger's own figures, and stream."""

from __future__ import annotations

import csv
import io
import tracemalloc
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from credits.admin import reports
from credits.models import Account
from credits.services.totals import roll_up_statistics
from tests.admin.conftest import Desk, text
from tests.factories import give, spend

DAYS = "since=2000-01-01&until=2090-01-01"


def rows_of(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))


@pytest.mark.parametrize("name", reports.REPORTS)
def test_each_opens_and_is_saved(dave: Desk, alice: Account, name: str) -> None:
    spend(alice, 30, feature="calls", description="<script>alert(1)</script>")
    roll_up_statistics()

    page = dave.get(f"reports/{name}/?{DAYS}")

    assert page.status_code == 200
    assert page.context["rows"]
    assert rows_of(dave.get(f"reports/{name}/?{DAYS}&format=csv"))


def test_a_trial_balance_sums_to_zero(dave: Desk, alice: Account) -> None:
    give(alice, 50)
    spend(alice, 30)

    rows = rows_of(dave.get(f"reports/trial-balance/?{DAYS}&format=csv"))

    found = {row["Account"]: Decimal(row["Balance"]) for row in rows}
    assert found["customers"] == 120
    assert sum(found.values()) == 0


def test_bad_days_and_names_are_told(dave: Desk, alice: Account) -> None:
    assert "ends before" in text(dave.get("reports/usage/?since=2020-01-02&until=2020-01-01"))
    assert dave.get("reports/usage/?since=nonsense&until=").status_code == 200
    assert dave.get("reports/nonsense/").status_code == 404


def test_nobody_reads_them_who_may_not(eve: Desk) -> None:
    assert eve.get("reports/").status_code == 403


def test_a_million_lines_take_no_memory(database: None) -> None:
    sql = "SELECT n, 'row ' || n FROM generate_series(1, 1000000) AS n WHERE %(since)s <> ''"
    report = reports.Report("Many", "", ("Number", "Words"), sql)
    asked: Any = {"since": "x"}
    tracemalloc.start()
    count = sum(part.count("\n") for part in reports.lines(report, asked))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 1_000_001
    assert most < 8 * 1024 * 1024
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_cursors WHERE name LIKE 'report%%'")
        assert cursor.fetchone() == (0,)
