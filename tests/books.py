"""The books as they stand: to audit them, and to prove that something left them alone."""

from __future__ import annotations

from collections.abc import Callable

from django.db import connection

from credits import checks

Books = Callable[[], dict[str, list[str]]]
TABLES = (
    *("credits_account", "credits_transaction", "credits_grant", "credits_hold", "credits_price", "credits_allowance"),
    *("credits_quota", "credits_quotawindow", "credits_allotment", "credits_unpricedusage", "credits_daytotal"),
)


def audit() -> dict[str, list[str]]:
    """Return the offenders of every check that has any."""
    found = {check.name: check.offenders() for check in checks.CHECKS}
    return {name: offenders for name, offenders in found.items() if offenders}


def snapshot() -> dict[str, list[str]]:
    """Return every row of the ledger as text."""
    rows = {}
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT t::text FROM {table} t ORDER BY 1")
            rows[table] = [row[0] for row in cursor.fetchall()]
    return rows
