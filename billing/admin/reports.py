"""The reports of money: what came in and was earned, month by month, and what is yet to be delivered."""

from __future__ import annotations

from billing.earned import AHEAD, CAME, EARNED, MODE
from credits.admin.desk import Column, Holds, Report, register

MAY = ("credits.view_transaction", "credits.view_grant", "billing.view_payment", "billing.view_invoice")
MONTH, CURRENCY = Column("Month"), Column("Currency")


def money(*titles: str) -> tuple[Column, ...]:
    """Return columns of money."""
    return tuple(Column(title, Holds.MONEY) for title in titles)


def _sum(*names: str) -> str:
    """Return the sum of what is called so, rounded once, to the minor unit."""
    return " + ".join(f"coalesce(round(sum(minor) FILTER (WHERE what = '{name}')), 0)::bigint" for name in names)


REVENUE = Report(
    "revenue",
    "Revenue by month",
    "Money by months of UTC: what came in for packs, for plans, and elsewhere (what callers told was paid for "
    "top-ups); what went back, and what disputes took; and what of all was earned meanwhile, with its breakage.",
    (
        MONTH,
        CURRENCY,
        *money("Packs", "Plans", "Elsewhere", "Refunded", "Lost in disputes", "Net", "Earned", "Breakage in it"),
    ),
    f"""
    SELECT to_char(at, 'YYYY-MM'), currency, {_sum("packs")}, {_sum("plans")}, {_sum("elsewhere")},
        {_sum("refunded")}, {_sum("lost")},
        {_sum("packs", "plans", "elsewhere")} - ({_sum("refunded", "lost")}),
        {_sum("used", "lapsed", "time")}, {_sum("lapsed")}
    FROM ({CAME} UNION ALL {EARNED}) moved WHERE at >= date_trunc('month', %(since)s) AND at < %(until)s
        AND (at >= %(since)s OR what = 'time')
    GROUP BY 1, 2 HAVING bool_or(minor <> 0) ORDER BY 1, 2
    """,  # noqa: S608  # constants of this module
    MAY,
    place=30,
)
EARNINGS = Report(
    "earned",
    "Earned by month",
    "What was delivered of what had been paid, by months of UTC. Credits used up and lapsed, at what was paid for "
    "their lots; plans by the days that went by, less what went back. Otherwise gone: clawed back, adjusted, moved on.",
    (MONTH, CURRENCY, *money("Credits used", "Credits lapsed", "Plans by time", "Earned", "Otherwise gone")),
    f"""
    SELECT to_char(at, 'YYYY-MM'), currency, {_sum("used")}, {_sum("lapsed")}, {_sum("time")},
        {_sum("used", "lapsed", "time")}, {_sum("otherwise")}
    FROM ({EARNED}) moved GROUP BY 1, 2 HAVING bool_or(minor <> 0) ORDER BY 1, 2
    """,  # noqa: S608  # constants of this module
    MAY,
    place=31,
)
DEFERRED = Report(
    "deferred",
    "Deferred revenue",
    "What was paid and is yet to be delivered, now. Packs and top-ups by their credits that are unspent, subscriptions "
    "by their days to come, each less what went back; and payments that brought nothing: they are to be given back.",
    (CURRENCY, *money("Bought and unspent", "Subscriptions ahead", "Together", "To be given back")),
    f"""
    SELECT currency, {_sum("packs")}, {_sum("ahead")}, {_sum("packs", "ahead")}, {_sum("back")}
    FROM (
        SELECT paid_currency AS currency, 'packs' AS what, sum(paid_minor * remaining / amount) AS minor
        FROM credits_grant WHERE is_open AND paid_minor > 0 GROUP BY 1
        UNION ALL SELECT currency, 'ahead', minor FROM ({AHEAD}) AS a (currency, minor, payments)
        UNION ALL
        SELECT p.currency, 'back', sum(p.amount_minor - p.refunded_minor - p.disputed_minor) FROM billing_payment p
        WHERE p.uncredited <> '' AND p.status = 'succeeded' AND {MODE} GROUP BY 1
    ) owed GROUP BY 1 HAVING bool_or(minor <> 0) ORDER BY 1
    """,  # noqa: S608  # constants of this module
    MAY,
    place=32,
)

register(REVENUE, EARNINGS, DEFERRED)
