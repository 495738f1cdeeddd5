"""What of the money that came in is earned, and what is yet to be delivered: pieces of SQL, each said once.

A pack is delivered with its credits: as they are used, or lapse. A plan is delivered with time: its payment is spread
over the days that it pays for, less what went back, and what was not credited is no sale at all.
"""

from __future__ import annotations

# Where any money is real, money of tests does not count.
MODE = "p.livemode = EXISTS (SELECT 1 FROM billing_payment WHERE livemode)"

# Payments of plans: what was kept of each, and the time that it pays for. One that was ended early ends there.
PLAN_PAYMENTS = f"""
    SELECT p.id, p.currency, p.amount_minor - p.refunded_minor - p.disputed_minor AS kept, i.covers_until,
        coalesce(i.covers_from, p.occurred_at) AS since,
        greatest(
            least(coalesce(i.covers_until, p.occurred_at), s.ended_at),
            coalesce(i.covers_from, p.occurred_at) + interval '1 microsecond'
        ) AS until
    FROM billing_payment p JOIN billing_invoice i ON i.id = p.invoice_id
    LEFT JOIN subscriptions_subscription s
        ON s.provider = 'stripe' AND s.provider_reference = i.subscription_reference AND s.status = 'canceled'
    WHERE p.status = 'succeeded' AND p.uncredited = '' AND {MODE}
"""  # noqa: S608  # constants of this module


def ahead(at: str) -> str:
    """Return what of a payment of a plan is for time after a moment: whole minor units, of its rows ``q``."""
    return (
        f"CASE WHEN {at} >= q.until THEN 0 WHEN {at} <= q.since THEN q.kept"
        f" ELSE round(q.kept * extract(epoch FROM q.until - {at}) / extract(epoch FROM q.until - q.since)) END"
    )


# What is paid ahead, by currency, and in how many payments. An index finds what runs on.
AHEAD = f"""
    SELECT q.currency, sum({ahead("%(now)s")})::bigint, count(*) FROM ({PLAN_PAYMENTS}) q
    WHERE q.covers_until > %(now)s AND q.until > %(now)s AND q.kept > 0 GROUP BY 1 ORDER BY 1
"""  # noqa: S608  # constants of this module
# The same of one payment.
AHEAD_OF_ROW = f"""(
    SELECT {ahead("%s::timestamptz")} FROM ({PLAN_PAYMENTS}) q
    WHERE q.id = billing_payment.id AND q.covers_until > %s AND q.until > %s AND q.kept > 0
)"""  # noqa: S608  # the same

# Top-ups that were reversed, and told no payment of ours: nothing was paid for them after all.
REVERSED = """
    FROM credits_transaction t JOIN credits_transaction o ON o.id = t.parent_id
    JOIN credits_grant g ON g.account_id = o.account_id AND g.opening_sequence = o.sequence
    WHERE t.kind = 'reversal' AND t.counterparty IN ('sales', 'promotions') AND g.paid_minor > 0
        AND t.recorded_at >= %(since)s AND t.recorded_at < %(until)s
        AND NOT EXISTS (SELECT 1 FROM billing_paymentcredit c WHERE c.movement_id = o.id)
"""
# What lots were paid for, as it goes: by use, by lapsing, or otherwise (taken back, adjusted, moved on). What covers an
# overdraft at once was used. All of it and what is left is what came in.
GONE = f"""
    SELECT t.recorded_at AS at, g.paid_currency AS currency,
        CASE WHEN t.counterparty = 'expired' THEN 'lapsed'
             WHEN t.counterparty = 'usage' THEN 'used'
             WHEN t.counterparty IN ('sales', 'promotions') AND t.kind <> 'reversal' THEN 'used'
             ELSE 'otherwise' END AS what,
        -g.paid_minor * (d.value ->> 1)::numeric / g.amount AS minor
    FROM credits_transaction t CROSS JOIN LATERAL jsonb_array_elements(t.draws) d
    JOIN credits_grant g ON g.id = (d.value ->> 0)::uuid
    WHERE g.paid_minor > 0 AND t.recorded_at >= %(since)s AND t.recorded_at < %(until)s
    UNION ALL
    SELECT t.recorded_at, g.paid_currency, 'used', g.paid_minor
    FROM credits_grant g JOIN credits_transaction t ON t.account_id = g.account_id AND t.sequence = g.opening_sequence
    WHERE g.paid_minor > 0 AND t.counterparty IN ('sales', 'promotions')
        AND t.recorded_at >= %(since)s AND t.recorded_at < %(until)s
    UNION ALL
    SELECT t.recorded_at, g.paid_currency, 'otherwise', -g.paid_minor {REVERSED}
"""  # noqa: S608  # constants of this module
# What plans earned by time, month by month and no further than now. The months of a payment sum to it, to the cent.
BY_TIME = f"""
    SELECT m.begins AS at, q.currency, 'time' AS what, {ahead("m.since")} - ({ahead("m.until")}) AS minor
    FROM (
        SELECT each AS begins, greatest(each, %(since)s) AS since,
            greatest(least(each + interval '1 month', %(until)s, %(now)s), each, %(since)s) AS until
        FROM generate_series(date_trunc('month', %(since)s), least(%(until)s, %(now)s), interval '1 month') AS each
    ) m JOIN ({PLAN_PAYMENTS}) q ON q.since < m.until AND q.until > m.since
"""  # noqa: S608  # constants of this module
EARNED = f"{GONE} UNION ALL {BY_TIME}"

# What came in, and what went back. Money of callers' top-ups is what they told of lots that no payment here brought.
CAME = f"""
    SELECT p.occurred_at AS at, p.currency, CASE WHEN p.invoice_id IS NULL THEN 'packs' ELSE 'plans' END AS what,
        p.amount_minor::numeric AS minor
    FROM billing_payment p WHERE p.status = 'succeeded' AND {MODE}
    UNION ALL
    SELECT t.recorded_at, g.paid_currency, 'elsewhere', g.paid_minor
    FROM credits_grant g JOIN credits_transaction t ON t.account_id = g.account_id AND t.sequence = g.opening_sequence
    WHERE g.paid_minor > 0 AND t.counterparty IN ('sales', 'promotions')
        AND NOT EXISTS (SELECT 1 FROM billing_paymentcredit c WHERE c.movement_id = t.id)
    UNION ALL
    SELECT t.recorded_at, g.paid_currency, 'elsewhere', -g.paid_minor {REVERSED}
    UNION ALL
    SELECT r.occurred_at, r.currency, 'refunded', r.amount_minor FROM billing_refund r
    JOIN billing_payment p ON p.id = r.payment_id WHERE r.status NOT IN ('failed', 'canceled') AND {MODE}
    UNION ALL
    SELECT * FROM (
        SELECT DISTINCT ON (p.id) l.occurred_at, p.currency, 'lost', p.disputed_minor FROM billing_dispute l
        JOIN billing_payment p ON p.id = l.payment_id WHERE l.status = 'lost' AND p.disputed_minor > 0 AND {MODE}
        ORDER BY p.id, l.occurred_at DESC
    ) lost
"""  # noqa: S608  # constants of this module
