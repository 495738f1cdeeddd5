"""What an account used and was given, by day, week or month of its own, and by feature.

Read from day totals, and for what is younger than their mark from the transactions: always the ledger's own figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from credits.models import Account, TotalsMark
from credits.models.families import EXPIRED, GRANTED, REFUNDED, SOLD, SPENT, summed
from credits.plan.windows import Period, days, months_after
from credits.services.totals import fold_totals

# So many transactions may be summed for an answer; where more are younger than the mark they are folded first.
MOST_YOUNG = 2000
USUAL = {Period.DAILY: 30, Period.WEEKLY: 12, Period.MONTHLY: 12}
MOST_PERIODS = 4000

CONSUMED_KINDS = SPENT.kinds
ADDED_KINDS = (*SOLD.kinds, *GRANTED.kinds)
MOVED = """
    SELECT day, feature, kind, amount, quantity, movements FROM credits_daytotal WHERE account_id = %(account)s
    UNION ALL
    SELECT day, feature, kind, amount, quantity, 1 FROM credits_transaction
    WHERE account_id = %(account)s AND sequence > %(mark)s
"""
FIGURES = f"""
    {SPENT.sql}, {REFUNDED.sql}, {summed(ADDED_KINDS)}, {EXPIRED.sql},
    coalesce(sum(amount) FILTER (WHERE kind IN ('adjustment', 'transfer', 'clawback', 'reversal')), 0),
    coalesce(sum(CASE WHEN kind IN ('usage', 'capture') THEN quantity
                      WHEN kind IN ('refund', 'reversal') THEN -quantity END), 0),
    sum(movements)
"""
BY_PERIOD = f"""
    SELECT CASE %(period)s WHEN 'daily' THEN day WHEN 'monthly' THEN date_trunc('month', day)::date
           ELSE day - (extract(isodow FROM day)::int - %(week_starts_on)s + 7) %% 7 END AS period, {FIGURES}
    FROM ({MOVED}) m
    WHERE day >= %(first)s AND day <= %(last)s AND (%(feature)s::text IS NULL OR feature = %(feature)s)
    GROUP BY 1
"""  # noqa: S608  # constants of this module
BY_FEATURE = f"""
    SELECT feature, {FIGURES} FROM ({MOVED}) m WHERE day >= %(first)s AND day <= %(last)s
    GROUP BY 1 HAVING bool_or(kind IN ('usage', 'capture', 'refund')) ORDER BY 2 DESC, 1
"""  # noqa: S608  # constants of this module
BY_KIND = f"SELECT kind, sum(amount) FROM ({MOVED}) m GROUP BY 1"  # noqa: S608  # the same
BEFORE = f"SELECT coalesce(sum(amount), 0) FROM ({MOVED}) m WHERE day < %(first)s"  # noqa: S608  # the same


@dataclass(frozen=True, slots=True)
class Figures:
    """What moved. A balance grows by added + refunded + other − consumed − expired."""

    consumed: Decimal = Decimal(0)
    refunded: Decimal = Decimal(0)
    added: Decimal = Decimal(0)
    expired: Decimal = Decimal(0)
    # Adjustments, transfers, reversals, and what repaid debt.
    other: Decimal = Decimal(0)
    uses: Decimal = Decimal(0)
    movements: int = 0

    @property
    def change(self) -> Decimal:
        """How much the balance grew."""
        return self.added + self.refunded + self.other - self.consumed - self.expired

    def __add__(self, more: Figures) -> Figures:
        return Figures(*(getattr(self, each.name) + getattr(more, each.name) for each in fields(self)))


NOTHING = Figures()


@dataclass(frozen=True, slots=True)
class Line:
    """One period: its first day, what moved in it, and the balance at its end (None of a single feature)."""

    first_day: date
    figures: Figures
    balance_end: Decimal | None


@dataclass(frozen=True, slots=True)
class Statistics:
    """What an account moved from one day to another, both inclusive; periods without movements too, oldest first."""

    period: Period
    first_day: date
    last_day: date
    lines: list[Line]

    @property
    def total(self) -> Figures:
        """Return the sum of all periods."""
        return sum((line.figures for line in self.lines), NOTHING)


class TooLong(ValueError):
    """More periods than an answer may have."""


def statistics(
    account: Account,
    period: Period,
    *,
    today: date,
    first_day: date | None = None,
    last_day: date | None = None,
    feature: str | None = None,
    mark: int | None = None,
    balances: bool = True,
) -> Statistics:
    """Return what an account moved, period by period, in its own days.

    By default up to today: 30 days, 12 weeks, 12 months. The first period is told whole. ``mark`` is what ``mark_of``
    returned, where it was asked before; without ``balances`` none is told.
    Raises TooLong beyond 4,000 periods.
    """
    last_day = last_day or today
    balances = balances and feature is None
    starts = list(_starts(account, period, first_day or _usual(period, last_day), last_day))
    first = starts[0] if starts else last_day
    asked = {
        "account": account.pk,
        "mark": mark_of(account) if mark is None else mark,
        "period": period.value,
        "week_starts_on": account.week_starts_on,
        "first": first,
        "last": last_day,
        "feature": feature,
    }
    found = {row[0]: Figures(*row[1:]) for row in _rows(BY_PERIOD, asked)}
    balance = _rows(BEFORE, asked)[0][0] if balances else None
    lines = []
    for start in starts:
        figures = found.get(start, NOTHING)
        balance = None if balance is None else balance + figures.change
        lines.append(Line(start, figures, balance))
    return Statistics(period, first, last_day, lines)


def usage_by_feature(
    account: Account, *, first_day: date, last_day: date, mark: int | None = None
) -> list[tuple[str, Figures]]:
    """Return what each feature consumed from one day to another, both inclusive, the most first."""
    asked = {
        "account": account.pk,
        "mark": mark_of(account) if mark is None else mark,
        "first": first_day,
        "last": last_day,
    }
    return [(row[0], Figures(*row[1:])) for row in _rows(BY_FEATURE, asked)]


def moved_by_kind(account: Account) -> dict[str, Decimal]:
    """Return what an account has moved since it was opened, by kind of movement."""
    asked = {"account": account.pk, "mark": mark_of(account)}
    return dict(_rows(BY_KIND, asked))


def _starts(account: Account, period: Period, first_day: date, last_day: date) -> Iterator[date]:
    start, after = days(period, first_day, week_starts_on=account.week_starts_on)
    for _ in range(MOST_PERIODS):
        if start > last_day:
            return
        yield start
        start, after = after, days(period, after, week_starts_on=account.week_starts_on)[1]
    if start <= last_day:
        raise TooLong(f"At most {MOST_PERIODS} periods can be told at once.")


def _usual(period: Period, last_day: date) -> date:
    if period == Period.MONTHLY:
        return months_after(last_day.replace(day=1), 1 - USUAL[period])
    return last_day - timedelta(days=(USUAL[period] - 1) * (1 if period == Period.DAILY else 7))


def mark_of(account: Account) -> int:
    """Return the number until which day totals are summed, brought up to date where much is younger.

    Asks nothing where the account was read together with its ``totals_mark``.
    """
    mark = _read_mark(account)
    if account.sequence - mark > MOST_YOUNG:
        fold_totals([account.pk])
        mark = _mark_of(account.pk)
    return mark


def _read_mark(account: Account) -> int:
    if "totals_mark" not in account._state.fields_cache:  # the one place that tells
        return _mark_of(account.pk)
    found: TotalsMark | None = account._state.fields_cache["totals_mark"]
    return found.sequence if found else 0


def _mark_of(account: UUID) -> int:
    found = TotalsMark.objects.filter(pk=account).values_list("sequence", flat=True).first()
    return found or 0


def _rows(sql: str, asked: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, asked)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
