"""Accounts with a history, made by SQL: row for row what the service would have written, hashes included.

`manage.py audit_books` holds over them, and the benchmark asks it at its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from credits.services.postings import TRANSACTION

CREDITS = 10**9
# Histories are told to have grown over this time.
SPAN = timedelta(days=365)

OPEN = """
INSERT INTO credits_account (id, external_id, unit_id, name, email, status, status_reason, balance, held,
    overdraft_limit, debt, sequence, version, head_hash, last_recorded_at, time_zone, week_starts_on, metadata,
    created_at, recharged_to)
SELECT id, external_id, 'credits', '', '', 'active', '', %(credits)s - %(rows)s + 1, 0, 0, 0, %(rows)s, %(rows)s, '',
    now(), 'UTC', 1, '{}', now() - %(span)s, %(credits)s
FROM unnest(%(ids)s::uuid[], %(external_ids)s::text[]) AS x (id, external_id)
"""
# A lot has its account's id, so that a script which knows the account knows the lot. They are different tables.
LOTS = """
INSERT INTO credits_grant (id, account_id, amount, remaining, held, is_open, category, priority, transferable,
    paid_currency, paid_minor, source, opening_sequence, created_at)
SELECT id, id, %(credits)s, %(credits)s - %(rows)s + 1, 0, true, 'paid', 50, true, '', 0, '', 1, now() - %(span)s
FROM unnest(%(ids)s::uuid[]) AS x (id)
"""
# The id of a movement: its account's first half, then its number, so that ids grow as they do in life.
MOVEMENTS = f"""
INSERT INTO credits_transaction ({", ".join(TRANSACTION)}, hash)
SELECT {", ".join(TRANSACTION)}, credits_chain(''::bytea, credits_transaction_bytes({", ".join(TRANSACTION)}))
    OVER (PARTITION BY account_id ORDER BY sequence)
FROM (
    SELECT (substr(md5(a::text), 1, 16) || lpad(to_hex(n), 16, '0'))::uuid AS id, a AS account_id, n AS sequence,
        CASE n WHEN 1 THEN 'topup' ELSE 'usage' END AS kind,
        (CASE n WHEN 1 THEN %(credits)s ELSE -1 END)::numeric(20,6) AS amount,
        (CASE n WHEN 1 THEN 0 ELSE %(credits)s - n + 2 END)::numeric(20,6) AS balance_before,
        (%(credits)s - n + 1)::numeric(20,6) AS balance_after,
        0::numeric(20,6) AS debt,
        CASE n WHEN 1 THEN 'sales' ELSE 'usage' END AS counterparty,
        jsonb_build_array(jsonb_build_array(a, CASE n WHEN 1 THEN %(credits)s::text ELSE '-1' END)) AS draws,
        NULL::uuid AS parent_id, NULL::uuid AS hold_id, NULL::bigint AS price_id,
        (CASE n WHEN 1 THEN 0 ELSE 1 END)::numeric(30,12) AS quantity, '{{}}'::jsonb AS usage,
        (w.at AT TIME ZONE 'UTC')::date AS day, w.at AS recorded_at, 'feature-' || n %% 5 AS feature,
        'One answer' AS description, '' AS reason, '' AS reference_type, '' AS reference_id, '{{}}'::jsonb AS metadata,
        'key' AS actor_kind, '1' AS actor_id, 'bench' AS actor_name, '' AS request_id
    FROM unnest(%(ids)s::uuid[]) AS a, generate_series(1, %(rows)s::bigint) AS n,
        LATERAL (SELECT now() - %(span)s * (1 - n::float / %(rows)s) AS at) AS w
) AS told
"""
HEADS = """
UPDATE credits_account a SET head_hash = t.hash, last_recorded_at = t.recorded_at
FROM credits_transaction t WHERE t.account_id = a.id AND t.sequence = a.sequence AND a.id = ANY(%(ids)s)
"""
NAIVE = """
INSERT INTO naive_movement (user_id, amount, description)
SELECT x.user_id, CASE n WHEN 1 THEN %(credits)s ELSE -1 END, 'One answer'
FROM unnest(%(external_ids)s::text[]) AS x (user_id), generate_series(1, %(rows)s) AS n
"""


def write_history(accounts: Sequence[tuple[UUID, str]], rows: int, *, bought: int = CREDITS) -> None:
    """Open accounts that were credited once and debited by 1 until each has so many rows."""
    values: dict[str, Any] = {
        "ids": [pk for pk, _ in accounts],
        "external_ids": [external_id for _, external_id in accounts],
        "rows": rows,
        "credits": bought,
        "span": SPAN,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        if cursor.fetchone() == (True,):
            # Foreign keys are not asked for each of a million rows: their account was inserted a line above.
            cursor.execute("SET LOCAL session_replication_role = replica")
        for statement in (OPEN, LOTS, MOVEMENTS, HEADS):
            cursor.execute(statement, values)


def write_naive_history(users: Sequence[str], rows: int) -> None:
    """Write the same for the naive design."""
    with connection.cursor() as cursor:
        cursor.execute(NAIVE, {"external_ids": list(users), "rows": rows, "credits": CREDITS})
