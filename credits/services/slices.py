"""Old rows, deleted a slice at a time: no lock is held for long, and two who delete at once do not wait."""

from __future__ import annotations

from datetime import datetime

from django.db import connection, models, transaction
from psycopg import sql

SLICE = 5_000
# A slice may have to look through much that was deleted before it.
PATIENCE = "60s"


def delete_older(model: type[models.Model], column: str, than: datetime) -> int:
    """Delete the rows whose column lies before a moment, each slice in its own transaction. Returns how many.

    Rows that others are deleting are left to them. An interrupted run has deleted what it had deleted.
    """
    total = 0
    since: datetime | None = None
    while True:
        count, last = _slice(model, column, than, since)
        total += count
        if count == SLICE:
            # On from there, past pages that are empty by now.
            since = last
        elif since is None:
            return total
        else:
            # Rows need not lie in the order of their column: look once more from the start.
            since = None


def _slice(
    model: type[models.Model], column: str, than: datetime, since: datetime | None
) -> tuple[int, datetime | None]:
    statement = sql.SQL("""
        WITH old AS (
            SELECT ctid FROM {table} WHERE {column} < %s AND {column} >= coalesce(%s, '-infinity'::timestamptz)
            LIMIT %s FOR UPDATE SKIP LOCKED
        ), gone AS (
            DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM old)) RETURNING {column} AS moment
        )
        SELECT count(*), max(moment) FROM gone
    """).format(table=sql.Identifier(model._meta.db_table), column=sql.Identifier(column))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(PATIENCE))
        cursor.execute(statement, [than, since, SLICE])
        count, last = cursor.fetchone()
    return count, last
