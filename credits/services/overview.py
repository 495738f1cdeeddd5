"""What the whole business has outstanding and what it moved, summed now and then for staff's front page.

The sums read open lots and day totals, never the movements; the page reads one row.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import connection, transaction

from credits.models import FAMILIES, Overview
from credits.services import clock
from credits.services.runs import Done
from credits.services.totals import roll_up_statistics

DAYS = 30
OUTSTANDING = """
    SELECT a.unit_id, g.category, sum(g.remaining)::text, count(*) FROM credits_grant g
    JOIN credits_account a ON a.id = g.account_id WHERE g.is_open GROUP BY 1, 2 ORDER BY 1, 2
"""
PAID_FOR = """
    SELECT paid_currency, round(sum(paid_minor * remaining / amount))::bigint, count(*) FROM credits_grant
    WHERE is_open AND paid_minor > 0 GROUP BY 1 ORDER BY 1
"""
OWED = "SELECT unit_id, sum(debt)::text, count(*) FROM credits_account WHERE debt > 0 GROUP BY 1"
OVERDRAWN = "SELECT unit_id, sum(-balance)::text, count(*) FROM credits_account WHERE balance < 0 GROUP BY 1"
# In the order of the families: front pages read it so. Where it is tomorrow already, that is told with today.
MOVED = f"""
    SELECT least(d.day, %s)::text, a.unit_id, {", ".join(f"({each.sql})::text" for each in FAMILIES.values())}
    FROM credits_daytotal d JOIN credits_account a ON a.id = d.account_id
    WHERE d.day > %s GROUP BY 1, 2 ORDER BY 1, 2
"""  # noqa: S608  # constants of this module
# What other apps have summed with it: figures of their own, by a name. ``now`` is the moment.
_also: dict[str, str] = {}


def register(name: str, sql: str) -> None:
    """Sum up more with the rest, from now on: rows of text and whole numbers."""
    _also[name] = sql


def sum_up() -> Done:
    """Renew the figures of the front page. Returns how many accounts had moved."""
    moved = roll_up_statistics()
    now = clock.now()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '120s'")
        figures: dict[str, Any] = {}
        for name, sql, values in (
            ("outstanding", OUTSTANDING, None),
            ("paid_for", PAID_FOR, None),
            ("owed", OWED, None),
            ("overdrawn", OVERDRAWN, None),
            ("moved", MOVED, [now.date(), now.date() - timedelta(days=DAYS)]),
        ):
            cursor.execute(sql, values)
            figures[name] = [list(row) for row in cursor.fetchall()]
        for name, sql in _also.items():
            cursor.execute(sql, {"now": now})
            figures[name] = [list(row) for row in cursor.fetchall()]
        Overview.objects.update_or_create(pk=Overview.ONLY, defaults={"figures": figures, "taken_at": now})
    return Done(moved, f"{sum(row[3] for row in figures['outstanding']):,} open lots")


def overview() -> Overview:
    """Return the figures of the front page; where the clock has not been round yet, they are summed now."""
    found = Overview.objects.filter(pk=Overview.ONLY).first()
    if found is None:
        sum_up()
        found = Overview.objects.get(pk=Overview.ONLY)
    return found
