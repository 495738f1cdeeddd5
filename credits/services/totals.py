"""Day totals: an account's transactions summed by day, feature and kind, so that statistics need not read them all.
And kind totals: those of all accounts by kind and reference type, for what operators watch.

Transactions are numbered without gaps and commit in that order, so "the first n" is a state that never changes. The
mark says which n the totals sum; what is younger is read from the transactions themselves.
"""

from __future__ import annotations

from uuid import UUID

from django.db import connection, transaction

SLICE = 500

# What an account has moved since its mark, by the columns that totals are kept by.
SINCE_MARK = """
    SELECT t.account_id, t.day, t.feature, t.kind, sum(t.amount) AS amount, sum(t.quantity) AS quantity,
        count(*) AS movements, max(t.sequence) AS sequence
    FROM marks m JOIN credits_transaction t ON t.account_id = m.account_id AND t.sequence > m.sequence
    GROUP BY t.account_id, t.day, t.feature, t.kind
"""
FOLD = f"""
    WITH marks AS (
        SELECT account_id, sequence FROM credits_totalsmark WHERE account_id = ANY(%s)
        ORDER BY account_id FOR UPDATE SKIP LOCKED
    ), young AS ({SINCE_MARK}), folded AS (
        INSERT INTO credits_daytotal AS d (account_id, day, feature, kind, amount, quantity, movements)
        SELECT account_id, day, feature, kind, amount, quantity, movements FROM young
        ON CONFLICT (account_id, day, feature, kind) DO UPDATE SET amount = d.amount + excluded.amount,
            quantity = d.quantity + excluded.quantity, movements = d.movements + excluded.movements
        RETURNING 1
    ), tallied AS (
        INSERT INTO credits_kindtotal AS k (unit_id, kind, reference_type, amount, movements)
        SELECT a.unit_id, t.kind, t.reference_type, sum(t.amount), count(*)
        FROM marks m JOIN credits_transaction t ON t.account_id = m.account_id AND t.sequence > m.sequence
        JOIN credits_account a ON a.id = t.account_id
        GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        ON CONFLICT (unit_id, kind, reference_type) DO UPDATE SET amount = k.amount + excluded.amount,
            movements = k.movements + excluded.movements
        RETURNING 1
    ), moved AS (
        UPDATE credits_totalsmark k SET sequence = n.sequence
        FROM (SELECT account_id, max(sequence) AS sequence FROM young GROUP BY account_id) n
        WHERE k.account_id = n.account_id
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM moved), (SELECT count(*) FROM folded), (SELECT count(*) FROM tallied)
"""  # noqa: S608  # constants of this module
BEHIND = """
    SELECT a.id FROM credits_account a LEFT JOIN credits_totalsmark m ON m.account_id = a.id
    WHERE a.sequence > coalesce(m.sequence, 0) AND a.id > %s ORDER BY a.id LIMIT %s
"""


def fold_totals(accounts: list[UUID]) -> int:
    """Bring the day totals of these accounts up to date. Returns how many moved.

    One statement, one transaction: totals and mark change together. An account that somebody else folds is left to him.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '120s'")
        cursor.execute(
            "INSERT INTO credits_totalsmark (account_id, sequence) SELECT unnest(%s::uuid[]), 0 ON CONFLICT DO NOTHING",
            [sorted(accounts)],
        )
        cursor.execute(FOLD, [sorted(accounts)])
        return int(cursor.fetchone()[0])


def roll_up_statistics() -> int:
    """Bring the day totals of every account up to date, in slices. Returns how many accounts had moved."""
    done, after = 0, UUID(int=0)
    while True:
        with connection.cursor() as cursor:
            cursor.execute(BEHIND, [after, SLICE])
            behind = [row[0] for row in cursor.fetchall()]
        if not behind:
            return done
        done += fold_totals(behind)
        after = behind[-1]
