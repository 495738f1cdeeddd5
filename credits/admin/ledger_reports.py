"""The reports of the ledger: balances, the liability, credits by month, use, and every movement."""

from __future__ import annotations

from credits.admin.desk import Column, Holds, Report, register
from credits.models import FAMILIES, TransactionKind
from credits.models.families import REFUNDED, SPENT, summed

MAY = ("credits.view_transaction", "credits.view_grant")
UNIT, CURRENCY, MONTH = Column("Unit"), Column("Currency"), Column("Month")
OTHERS = (
    TransactionKind.ADJUSTMENT,
    TransactionKind.TRANSFER,
    TransactionKind.CLAWBACK,
    TransactionKind.REVERSAL,
)
# Of a span that ends today, what is tomorrow's already where the day has begun is no less.
IN_DAYS = "d.day >= %(since)s::timestamptz::date AND (d.day < %(until)s::timestamptz::date OR %(until)s > %(now)s)"


def amounts(*titles: str) -> tuple[Column, ...]:
    """Return columns of amounts."""
    return tuple(Column(title, Holds.AMOUNT) for title in titles)


TRIAL_BALANCE = Report(
    "trial-balance",
    "Trial balance",
    "What accounts and their counterparties stood at when the last day ended. Each unit sums to zero.",
    (UNIT, Column("Account"), *amounts("Balance")),
    """
    WITH moved AS (
        SELECT a.unit_id, t.counterparty, sum(t.amount) AS amount FROM credits_transaction t
        JOIN credits_account a ON a.id = t.account_id WHERE t.recorded_at < %(until)s GROUP BY 1, 2
    )
    SELECT unit_id, 'customers', sum(amount) FROM moved GROUP BY 1
    UNION ALL SELECT unit_id, counterparty, -amount FROM moved ORDER BY 1, 2
    """,
    MAY,
    place=10,
)
LIABILITY = Report(
    "liability",
    "Liability by category and age",
    "What is outstanding now, by how long ago its lots came in, and what was paid for it. Less what is overdrawn it is "
    "what customers have in the trial balance.",
    (
        UNIT,
        Column("Category"),
        Column("Age"),
        *amounts("Outstanding"),
        Column("Lots", Holds.COUNT),
        CURRENCY,
        Column("Paid for it", Holds.MONEY),
    ),
    """
    SELECT unit_id, category, age, outstanding, lots, currency, paid FROM (
    SELECT a.unit_id, g.category,
        CASE WHEN g.created_at > %(now)s - interval '30 days' THEN 'up to 30 days'
             WHEN g.created_at > %(now)s - interval '90 days' THEN 'up to 90 days'
             WHEN g.created_at > %(now)s - interval '365 days' THEN 'up to a year' ELSE 'older' END AS age,
        sum(g.remaining) AS outstanding, count(*) AS lots, g.paid_currency AS currency,
        round(sum(g.paid_minor * g.remaining / g.amount))::bigint AS paid, max(g.created_at) AS newest
    FROM credits_grant g JOIN credits_account a ON a.id = g.account_id WHERE g.is_open
    GROUP BY 1, 2, 3, 6
    UNION ALL SELECT unit_id, 'overdrawn', '', sum(balance), 0, '', 0, NULL FROM credits_account
    WHERE balance < 0 GROUP BY 1
    ) told ORDER BY unit_id, category = 'overdrawn', category, newest DESC, currency
    """,
    MAY,
    place=20,
)
BY_MONTH = Report(
    "credits",
    "Credits by month",
    "Sold, given away, spent, given back for a use, and lapsed unused (breakage), by the accounts' own days. "
    "Other is adjustments, transfers, clawbacks and reversals. The clock brings it up to date every five minutes.",
    (MONTH, UNIT, *amounts(*(each.label for each in FAMILIES.values()), "Other")),
    f"""
    SELECT to_char(d.day, 'YYYY-MM'), a.unit_id, {", ".join(each.sql for each in FAMILIES.values())}, {summed(OTHERS)}
    FROM credits_daytotal d JOIN credits_account a ON a.id = d.account_id
    WHERE {IN_DAYS} GROUP BY 1, 2 ORDER BY 1, 2
    """,  # noqa: S608  # constants of this module
    MAY,
    place=50,
)
USE = Report(
    "usage",
    "Use by feature",
    "What each feature was used and charged, by the accounts' own days.",
    (Column("Feature", Holds.NAME), UNIT, Column("Uses", Holds.COUNT), *amounts("Charged", "Refunded")),
    f"""
    SELECT d.feature, a.unit_id, coalesce(sum(d.quantity) FILTER (WHERE d.kind IN ('usage', 'capture')), 0),
        {SPENT.sql}, {REFUNDED.sql}
    FROM credits_daytotal d JOIN credits_account a ON a.id = d.account_id
    WHERE d.kind IN ('usage', 'capture', 'refund') AND {IN_DAYS}
    GROUP BY 1, 2 ORDER BY 2, 4 DESC, 1
    """,  # noqa: S608  # constants of this module
    MAY,
    place=60,
)
MOVEMENTS = Report(
    "movements",
    "Every movement",
    "For the books: one line a movement, oldest first. Take it as a file.",
    (
        Column("When", Holds.MOMENT),
        Column("Account", Holds.NAME),
        UNIT,
        Column("Number", Holds.COUNT),
        Column("Kind"),
        Column("Counterparty"),
        *amounts("Amount", "Balance after", "Debt"),
        Column("Reference", Holds.NAME),
        Column("Id", Holds.ID),
    ),
    """
    SELECT t.recorded_at, a.external_id, a.unit_id, t.sequence, t.kind, t.counterparty, t.amount,
        t.balance_after, t.debt, t.reference_id, t.id
    FROM credits_transaction t JOIN credits_account a ON a.id = t.account_id
    WHERE t.recorded_at >= %(since)s AND t.recorded_at < %(until)s ORDER BY t.id
    """,
    MAY,
    place=90,
)

register(TRIAL_BALANCE, LIABILITY, BY_MONTH, USE, MOVEMENTS)
