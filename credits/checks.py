"""The books, checked: each invariant as one query that returns its offenders. Nothing here writes."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection, transaction


@dataclass(frozen=True, slots=True)
class Check:
    """One invariant. ``sql`` selects a line of text for each offender."""

    name: str
    says: str
    sql: str

    def offenders(self, limit: int = 100) -> list[str]:
        """Return a line for each offender, at most ``limit``."""
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT offence FROM ({self.sql}) AS offences (offence) LIMIT {limit:d}")
            return [str(row[0]) for row in cursor.fetchall()]


def audit() -> dict[str, list[str]]:
    """Run every check on one state of the books, however long it takes. Returns the offenders by check.

    Must not be called inside a transaction: what others post meanwhile is then no offence.
    """
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SET LOCAL statement_timeout = 0")
        return {check.name: check.offenders() for check in CHECKS}


HEADS = Check(
    "heads",
    "an account's balance, debt, number and hash are those of its last transaction",
    """
    SELECT format('account %s: balance %s, last transaction says %s', a.external_id, a.balance, t.balance_after)
    FROM credits_account a
    LEFT JOIN credits_transaction t ON t.account_id = a.id AND t.sequence = a.sequence
    WHERE (a.sequence = 0 AND (a.balance <> 0 OR a.head_hash <> ''::bytea))
       OR (a.sequence > 0 AND (t.id IS NULL OR t.balance_after <> a.balance OR t.hash <> a.head_hash))
    """,
)
SEQUENCES = Check(
    "sequences",
    "transactions are numbered without gaps and each begins where the one before ended",
    """
    SELECT format('account %s: transaction %s follows %s, balance %s follows %s',
                  account_id, sequence, before, balance_before, after_before)
    FROM (SELECT account_id, sequence, balance_before, recorded_at,
                 lag(sequence, 1, 0::bigint) OVER w AS before,
                 lag(balance_after, 1, 0::numeric) OVER w AS after_before,
                 lag(recorded_at, 1, recorded_at) OVER w AS recorded_before
          FROM credits_transaction WINDOW w AS (PARTITION BY account_id ORDER BY sequence)) chained
    WHERE sequence <> before + 1 OR balance_before <> after_before OR recorded_at < recorded_before
    UNION ALL
    SELECT format('account %s: numbered %s, but its last transaction is %s', a.external_id, a.sequence, t.last)
    FROM credits_account a
    LEFT JOIN (SELECT account_id, max(sequence) AS last FROM credits_transaction GROUP BY account_id) t
      ON t.account_id = a.id
    WHERE a.sequence <> coalesce(t.last, 0)
    """,
)
BALANCES = Check(
    "balances",
    "a balance is what its movements sum to, and a debt what they left owed",
    """
    SELECT format('account %s: balance %s, movements sum to %s; debt %s, movements left %s',
                  a.external_id, a.balance, coalesce(t.total, 0), a.debt, coalesce(t.debt, 0))
    FROM credits_account a
    LEFT JOIN (SELECT account_id, sum(amount) AS total, sum(debt) AS debt
               FROM credits_transaction GROUP BY account_id) t ON t.account_id = a.id
    WHERE a.balance <> coalesce(t.total, 0) OR a.debt <> coalesce(t.debt, 0)
    """,
)
LOTS = Check(
    "lots",
    "a lot has left what its movements put in and took out",
    """
    SELECT format('lot %s of account %s: %s remaining, its draws sum to %s',
                  coalesce(g.id, d.lot), coalesce(g.account_id, d.account_id), g.remaining, coalesce(d.total, 0))
    FROM credits_grant g
    FULL JOIN (SELECT t.account_id, (draw->>0)::uuid AS lot, sum((draw->>1)::numeric) AS total
               FROM credits_transaction t, jsonb_array_elements(t.draws) AS draw GROUP BY 1, 2) d
      ON d.lot = g.id AND d.account_id = g.account_id
    WHERE g.id IS NULL OR g.remaining <> coalesce(d.total, 0)
    """,
)
COVERED = Check(
    "covered",
    "a balance is what its lots have left, less what it is overdrawn within its limit",
    """
    SELECT format('account %s: balance %s, lots %s, overdraft limit %s',
                  a.external_id, a.balance, coalesce(g.remaining, 0), a.overdraft_limit)
    FROM credits_account a
    LEFT JOIN (SELECT account_id, sum(remaining) AS remaining, sum(remaining - held) AS free FROM credits_grant
               GROUP BY account_id) g ON g.account_id = a.id
    -- Credits that a hold let go may be free before the next movement lets them cover what is overdrawn.
    WHERE coalesce(g.remaining, 0) - a.balance NOT BETWEEN 0 AND a.overdraft_limit + coalesce(g.free, 0)
    """,
)
TERMS = Check(
    "terms",
    "a lot came in with the movement that opened it, on an account that knows when it is due",
    """
    SELECT format('account %s: transaction %s brought %s, its lots %s',
                  o.account_id, o.opening_sequence, t.amount, o.amount)
    FROM (SELECT account_id, opening_sequence, sum(amount) AS amount FROM credits_grant GROUP BY 1, 2) o
    LEFT JOIN credits_transaction t ON t.account_id = o.account_id AND t.sequence = o.opening_sequence
    WHERE t.id IS NULL OR o.amount > t.amount
       OR (o.amount <> t.amount AND t.kind NOT IN ('refund', 'reversal', 'clawback'))
    UNION ALL
    SELECT format('account %s: next due at %s, but something is due at %s', a.external_id, a.next_due_at, d.due)
    FROM credits_account a
    JOIN (SELECT account_id, min(due) AS due
          FROM (SELECT account_id, expires_at AS due FROM credits_grant WHERE remaining > held
                UNION ALL SELECT account_id, expires_at FROM credits_hold WHERE status = 'open'
                UNION ALL SELECT account_id, next_at FROM credits_allotment) dues
          WHERE due IS NOT NULL GROUP BY account_id) d ON d.account_id = a.id
    WHERE a.next_due_at IS NULL OR a.next_due_at > d.due
    """,
)
OWNERS = Check(
    "owners",
    "everything belongs to an account that exists, and a capture to the account of its hold",
    """
    SELECT format('%s rows of %s belong to no account', count(*), o.what)
    FROM (SELECT 'transactions' AS what, account_id FROM credits_transaction
          UNION ALL SELECT 'lots', account_id FROM credits_grant
          UNION ALL SELECT 'holds', account_id FROM credits_hold) o
    WHERE NOT EXISTS (SELECT 1 FROM credits_account a WHERE a.id = o.account_id) GROUP BY o.what
    UNION ALL
    SELECT format('transaction %s captures hold %s of another account, or none', t.id, t.hold_id)
    FROM credits_transaction t LEFT JOIN credits_hold h ON h.id = t.hold_id AND h.account_id = t.account_id
    WHERE t.hold_id IS NOT NULL AND h.id IS NULL
    UNION ALL
    SELECT format('hold %s is closed and still reserves lots', id) FROM credits_hold
    WHERE status <> 'open' AND lots <> '[]'::jsonb
    UNION ALL
    SELECT format('freeze %s sets aside something else than its lot', id) FROM credits_hold
    WHERE status = 'open' AND freezes_id IS NOT NULL
      AND (lots -> 0 ->> 0 <> freezes_id::text OR jsonb_array_length(lots) > 1 OR captured <> 0)
    """,
)
TRANSFERS = Check(
    "transfers",
    "what left one account in a transfer arrived in another of its unit",
    """
    SELECT format('transfer %s of %s has no other leg', t.id, t.amount)
    FROM credits_transaction t
    LEFT JOIN credits_transaction o ON o.kind = 'transfer' AND (o.parent_id = t.id OR o.id = t.parent_id)
    LEFT JOIN credits_account a ON a.id = t.account_id
    LEFT JOIN credits_account b ON b.id = o.account_id
    WHERE t.kind = 'transfer'
      AND (o.id IS NULL OR o.amount <> -t.amount OR o.account_id = t.account_id OR a.unit_id <> b.unit_id)
    """,
)
HOLDS = Check(
    "holds",
    "what an account and its lots hold is what open holds still set aside",
    """
    SELECT format('account %s: %s held, open holds set aside %s', a.external_id, a.held, coalesce(h.aside, 0))
    FROM credits_account a
    LEFT JOIN (SELECT account_id, sum(amount - captured) AS aside FROM credits_hold WHERE status = 'open'
               GROUP BY account_id) h ON h.account_id = a.id
    WHERE a.held <> coalesce(h.aside, 0)
    UNION ALL
    SELECT format('lot %s: %s held, open holds reserve %s', coalesce(g.id, h.lot), g.held, h.reserved)
    FROM (SELECT id, held FROM credits_grant WHERE held <> 0) g
    FULL JOIN (SELECT (part->>0)::uuid AS lot, sum((part->>1)::numeric) AS reserved
               FROM credits_hold, jsonb_array_elements(lots) AS part WHERE status = 'open' GROUP BY 1) h
      ON h.lot = g.id
    WHERE g.held IS DISTINCT FROM h.reserved
    UNION ALL
    SELECT format('hold %s: captured %s, its captures sum to %s', h.id, h.captured, coalesce(-t.total, 0))
    FROM credits_hold h
    LEFT JOIN (SELECT hold_id, sum(amount) AS total FROM credits_transaction WHERE kind = 'capture'
               GROUP BY hold_id) t ON t.hold_id = h.id
    WHERE h.captured <> coalesce(-t.total, 0)
    """,
)
SUM_ZERO = Check(
    "sum zero",
    "in each unit, what accounts have is what their counterparties gave, and transfers cancel out",
    """
    SELECT format('unit %s: accounts have %s, movements sum to %s', b.unit_id, b.balance, coalesce(m.total, 0))
    FROM (SELECT unit_id, sum(balance) AS balance FROM credits_account GROUP BY unit_id) b
    LEFT JOIN (SELECT a.unit_id, sum(t.amount) AS total FROM credits_transaction t
               JOIN credits_account a ON a.id = t.account_id GROUP BY a.unit_id) m ON m.unit_id = b.unit_id
    WHERE b.balance <> coalesce(m.total, 0)
    UNION ALL
    SELECT format('unit %s: transfers sum to %s', a.unit_id, sum(t.amount))
    FROM credits_transaction t JOIN credits_account a ON a.id = t.account_id
    WHERE t.counterparty = 'transfers' GROUP BY a.unit_id HAVING sum(t.amount) <> 0
    """,
)
REFUNDS = Check(
    "refunds",
    "no movement is given back more than it took, nor reversed twice",
    """
    SELECT format('transaction %s of %s: %s given back', p.id, p.amount, sum(c.amount))
    FROM credits_transaction c JOIN credits_transaction p ON p.id = c.parent_id
    WHERE c.kind IN ('refund', 'reversal', 'clawback') AND p.kind <> 'refund'
      -- Counted and not joined: where many were reversed since the last ANALYZE, a join compares each with all.
      AND (SELECT count(*) FROM credits_transaction r WHERE r.parent_id = c.id AND r.kind = 'reversal') = 0
    GROUP BY p.id, p.amount, p.debt
    -- What was owed counts as taken, and what is forgiven as given back.
    HAVING abs(sum(c.amount - c.debt)) > abs(p.amount - p.debt) OR sum(c.amount - c.debt) * (p.amount - p.debt) > 0
        OR count(*) FILTER (WHERE c.kind = 'reversal') > 1
    """,
)
HASHES = Check(
    "hash chain",
    "every transaction's hash covers its row and the hash before it",
    """
    SELECT format('account %s: transaction %s was changed after it was written', account_id, sequence)
    FROM (SELECT account_id, sequence, hash,
                 credits_link(lag(hash, 1, ''::bytea) OVER (PARTITION BY account_id ORDER BY sequence),
                              credits_transaction_bytes(id, account_id, sequence, kind, amount, balance_before,
                                  balance_after, debt, counterparty, draws, parent_id, hold_id, price_id, quantity,
                                  usage, day, recorded_at, feature,
                                  description, reason, reference_type, reference_id, metadata, actor_kind, actor_id,
                                  actor_name, request_id)) AS told
          FROM credits_transaction) linked
    WHERE hash IS DISTINCT FROM told
    """,
)
QUOTAS = Check(
    "quotas",
    "what a quota counts as used is what its window's charges took, less what was given back of them",
    """
    SELECT format('account %s: %s %s %s used, its window''s movements took %s',
                  q.account_id, coalesce(nullif(q.feature, ''), 'all'), q.period, q.used, coalesce(t.taken, 0))
    FROM credits_quota q
    CROSS JOIN LATERAL (
        SELECT sum(CASE WHEN t.kind IN ('usage', 'capture')
                        THEN CASE q.measure WHEN 'credits' THEN t.debt - t.amount ELSE t.quantity END
                        ELSE -CASE q.measure WHEN 'credits' THEN t.amount - t.debt ELSE t.quantity END END) AS taken
        FROM credits_transaction t LEFT JOIN credits_transaction p ON p.id = t.parent_id
        WHERE t.account_id = q.account_id AND t.sequence > q.since_sequence
          AND CASE WHEN t.kind IN ('usage', 'capture') THEN q.feature IN ('', t.feature)
                   ELSE t.kind IN ('refund', 'reversal') AND p.kind IN ('usage', 'capture')
                        AND p.sequence > q.since_sequence AND q.feature IN ('', p.feature) END
    ) t
    WHERE q.used <> coalesce(t.taken, 0)
    """,
)
TOTALS = Check(
    "totals",
    "day totals and kind totals are the transactions until their account's mark, summed",
    """
    SELECT format('account %s, %s %s %s: totals say %s in %s, transactions %s in %s',
                  coalesce(d.account_id, t.account_id), coalesce(d.day, t.day), coalesce(d.feature, t.feature),
                  coalesce(d.kind, t.kind), d.amount, d.movements, t.amount, t.movements)
    FROM credits_daytotal d
    FULL JOIN (SELECT t.account_id, t.day, t.feature, t.kind, sum(t.amount) AS amount, sum(t.quantity) AS quantity,
                      count(*) AS movements
               FROM credits_transaction t JOIN credits_totalsmark m ON m.account_id = t.account_id
               WHERE t.sequence <= m.sequence GROUP BY 1, 2, 3, 4) t
      ON (t.account_id, t.day, t.feature, t.kind) = (d.account_id, d.day, d.feature, d.kind)
    WHERE (d.amount, d.quantity, d.movements) IS DISTINCT FROM (t.amount, t.quantity, t.movements)
    UNION ALL
    SELECT format('account %s: totals until %s, but its last transaction is %s', a.external_id, m.sequence, a.sequence)
    FROM credits_totalsmark m JOIN credits_account a ON a.id = m.account_id WHERE m.sequence > a.sequence
    UNION ALL
    SELECT format('%s %s %s: kind totals say %s in %s, transactions %s in %s', coalesce(k.unit_id, t.unit_id),
                  coalesce(k.kind, t.kind), coalesce(k.reference_type, t.reference_type), k.amount, k.movements,
                  t.amount, t.movements)
    FROM credits_kindtotal k
    FULL JOIN (SELECT a.unit_id, t.kind, t.reference_type, sum(t.amount) AS amount, count(*) AS movements
               FROM credits_transaction t JOIN credits_totalsmark m ON m.account_id = t.account_id
               JOIN credits_account a ON a.id = t.account_id
               WHERE t.sequence <= m.sequence GROUP BY 1, 2, 3) t
      ON (t.unit_id, t.kind, t.reference_type) = (k.unit_id, k.kind, k.reference_type)
    WHERE (k.amount, k.movements) IS DISTINCT FROM (t.amount, t.movements)
    """,
)
PRICES = Check(
    "prices",
    "a charge is pinned to a price of its feature or model, in its account's unit, that was in force by then",
    """
    SELECT format('transaction %s is pinned to price %s of %s', t.id, p.id, coalesce(nullif(p.model, ''), p.feature))
    FROM credits_transaction t
    JOIN credits_price p ON p.id = t.price_id
    JOIN credits_account a ON a.id = t.account_id
    WHERE p.unit_id <> a.unit_id OR p.effective_at > t.recorded_at OR p.scheme = 'withdrawn'
       OR (p.feature <> '' AND p.feature <> t.feature) OR t.kind NOT IN ('usage', 'capture')
    """,
)
ALLOTMENTS = Check(
    "allotments",
    "an allotment has issued each of its periods up to the next one, once",
    """
    SELECT format('allotment %s: %s periods were due to be issued, %s were', o.id, o.next_period - o.first_period
                  - CASE WHEN o.first_amount = 0 AND o.next_period > o.first_period THEN 1 ELSE 0 END,
                  coalesce(t.issued, 0))
    FROM credits_allotment o
    LEFT JOIN (SELECT split_part(reference_id, ':', 1)::bigint AS allotment, count(*) AS issued FROM credits_transaction
               WHERE reference_type = 'allotment' AND kind = 'plan' AND reference_id ~ '^[0-9]+:[0-9]+$'
               GROUP BY 1) t ON t.allotment = o.id
    WHERE coalesce(t.issued, 0) <> o.next_period - o.first_period
          - CASE WHEN o.first_amount = 0 AND o.next_period > o.first_period THEN 1 ELSE 0 END
    """,
)
# Events are kept for a week at the least.
EVENTS = Check(
    "events",
    "since an account's first event of the last week, each of its movements is told by one",
    """
    SELECT format('account %s: %s events tell of its movements from %s to %s; its last is %s',
                  a.external_id, e.told, e.first, e.last, a.sequence)
    FROM (SELECT account_id, count(*) AS told, min((payload ->> 'sequence')::bigint) AS first,
                 max((payload ->> 'sequence')::bigint) AS last
          FROM credits_event WHERE payload ? 'kind' AND recorded_at > now() - interval '7 days' GROUP BY 1) e
    JOIN credits_account a ON a.id = e.account_id
    WHERE e.told <> e.last - e.first + 1 OR e.last <> a.sequence
    """,
)
CHECKS = [
    HEADS, SEQUENCES, BALANCES, LOTS, TERMS, COVERED, HOLDS, OWNERS, SUM_ZERO, TRANSFERS, REFUNDS, HASHES, QUOTAS,
    TOTALS, PRICES, ALLOTMENTS, EVENTS,
]  # fmt: skip
