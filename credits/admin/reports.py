"""Reports: figures of the whole ledger, on a page or as a file that streams."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from uuid_utils.compat import uuid7

from credits.admin import show
from credits.admin.statements import Echo, safe

SHOWN = 500
# Figures that are no amounts.
COUNTED = {"Uses", "Lots", "Number", "Paid for it (minor units)"}
SLICE = 2000
PATIENCE = "SET LOCAL statement_timeout = '300s'"


@dataclass(frozen=True, slots=True)
class Report:
    """A question and its columns. ``sql`` may name since and until, moments in UTC."""

    title: str
    says: str
    columns: tuple[str, ...]
    sql: str


REPORTS = {
    "trial-balance": Report(
        "Trial balance",
        "What accounts and their counterparties stood at when the last day ended. Each unit sums to zero.",
        ("Unit", "Account", "Balance"),
        """
        WITH moved AS (
            SELECT a.unit_id, t.counterparty, sum(t.amount) AS amount FROM credits_transaction t
            JOIN credits_account a ON a.id = t.account_id WHERE t.recorded_at < %(until)s GROUP BY 1, 2
        )
        SELECT unit_id, 'customers', sum(amount) FROM moved GROUP BY 1
        UNION ALL SELECT unit_id, counterparty, -amount FROM moved ORDER BY 1, 2
        """,
    ),
    "liability": Report(
        "Liability by category and age",
        "What is outstanding now, by how long ago its lots came in, and what was paid for it.",
        ("Unit", "Category", "Age", "Outstanding", "Lots", "Currency", "Paid for it (minor units)"),
        """
        SELECT a.unit_id, g.category,
            CASE WHEN g.created_at > now() - interval '30 days' THEN '1: up to 30 days'
                 WHEN g.created_at > now() - interval '90 days' THEN '2: up to 90 days'
                 WHEN g.created_at > now() - interval '365 days' THEN '3: up to a year' ELSE '4: older' END,
            sum(g.remaining), count(*), g.paid_currency, round(sum(g.paid_minor * g.remaining / g.amount))
        FROM credits_grant g JOIN credits_account a ON a.id = g.account_id WHERE g.is_open
        GROUP BY 1, 2, 3, 6 ORDER BY 1, 2, 3, 6
        """,
    ),
    "revenue": Report(
        "Sales, use and breakage by month",
        "Sold and granted, used up, and what lapsed unused (breakage), by the accounts' own days.",
        ("Month", "Unit", "Sold", "Granted", "Used", "Refunded", "Breakage"),
        """
        SELECT to_char(d.day, 'YYYY-MM'), a.unit_id,
            coalesce(sum(d.amount) FILTER (WHERE d.kind IN ('topup', 'order')), 0),
            coalesce(sum(d.amount) FILTER (WHERE d.kind IN ('plan', 'trial', 'promotion')), 0),
            coalesce(-sum(d.amount) FILTER (WHERE d.kind IN ('usage', 'capture')), 0),
            coalesce(sum(d.amount) FILTER (WHERE d.kind = 'refund'), 0),
            coalesce(-sum(d.amount) FILTER (WHERE d.kind = 'expiry'), 0)
        FROM credits_daytotal d JOIN credits_account a ON a.id = d.account_id
        WHERE d.day >= %(since)s::timestamptz::date AND d.day < %(until)s::timestamptz::date
        GROUP BY 1, 2 ORDER BY 1, 2
        """,
    ),
    "usage": Report(
        "Use by feature",
        "What each feature was used and charged, by the accounts' own days.",
        ("Feature", "Unit", "Uses", "Charged", "Refunded"),
        """
        SELECT d.feature, a.unit_id, sum(d.quantity) FILTER (WHERE d.kind IN ('usage', 'capture')),
            coalesce(-sum(d.amount) FILTER (WHERE d.kind IN ('usage', 'capture')), 0),
            coalesce(sum(d.amount) FILTER (WHERE d.kind = 'refund'), 0)
        FROM credits_daytotal d JOIN credits_account a ON a.id = d.account_id
        WHERE d.kind IN ('usage', 'capture', 'refund')
            AND d.day >= %(since)s::timestamptz::date AND d.day < %(until)s::timestamptz::date
        GROUP BY 1, 2 ORDER BY 4 DESC, 1
        """,
    ),
    "movements": Report(
        "Every movement",
        "For the books: one line a movement, oldest first. Take it as a file.",
        (
            "When",
            "Account",
            "Unit",
            "Number",
            "Kind",
            "Counterparty",
            "Amount",
            "Balance after",
            "Debt",
            "Reference",
            "Id",
        ),
        """
        SELECT t.recorded_at, a.external_id, a.unit_id, t.sequence, t.kind, t.counterparty, t.amount,
            t.balance_after, t.debt, t.reference_id, t.id
        FROM credits_transaction t JOIN credits_account a ON a.id = t.account_id
        WHERE t.recorded_at >= %(since)s AND t.recorded_at < %(until)s ORDER BY t.id
        """,
    ),
}


class DaysForm(forms.Form):
    """From a day to a day, both included, in UTC."""

    since = forms.DateField(label="From", widget=forms.DateInput({"type": "date", "class": "f-date"}))
    until = forms.DateField(label="To", widget=forms.DateInput({"type": "date", "class": "f-date"}))

    def clean(self) -> dict[str, Any]:
        """Refuse a span that ends before it begins."""
        data = super().clean() or {}
        since, until = data.get("since"), data.get("until")
        if since and until and not date(1970, 1, 2) <= since <= until < date(9999, 1, 1):
            self.add_error("until", "It ends before it begins.")
        return data


def page(request: HttpRequest, name: str = "trial-balance") -> HttpResponseBase:
    """Answer with a report: a page, or with ?format=csv a file that streams."""
    if not (request.user.has_perm("credits.view_transaction") and request.user.has_perm("credits.view_grant")):
        raise PermissionDenied
    report = REPORTS.get(name)
    if report is None:
        raise Http404
    today = timezone.now().date()
    usual = {"since": today - timedelta(days=365), "until": today}
    form = DaysForm(request.GET if "since" in request.GET else usual)
    data = form.cleaned_data if form.is_valid() else usual
    asked = {"since": _midnight(data["since"]), "until": _midnight(data["until"] + timedelta(days=1))}
    if request.GET.get("format") == "csv":
        answer = StreamingHttpResponse(lines(report, asked), content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="{name}-{data["since"]}-{data["until"]}.csv"'
        return answer
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(PATIENCE)
        cursor.execute(f"{report.sql} LIMIT {SHOWN + 1}", asked)  # constants of this module
        rows = cursor.fetchall()
    context = {
        **admin.site.each_context(request),
        "title": report.title,
        "report": report,
        "name": name,
        "reports": REPORTS,
        "form": form,
        "columns": figures(report),
        "rows": table(report, rows[:SHOWN]),
        "since": "%(since)s" in report.sql,
        "until": "%(until)s" in report.sql,
        "more": len(rows) > SHOWN,
    }
    return TemplateResponse(request, "admin/credits/reports.html", context)


def lines(report: Report, asked: dict[str, datetime]) -> Iterator[str]:
    """Yield a report as CSV from a cursor that stays in the database: memory does not grow with it."""
    writer: Any = csv.writer(Echo())
    yield writer.writerow(report.columns)
    name = f"report_{uuid7().hex}"
    # WITH HOLD outlives its transaction, so that none waits for a slow reader; the database keeps the rows, not we.
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(PATIENCE)
            cursor.execute(f"DECLARE {name} NO SCROLL CURSOR WITH HOLD FOR {report.sql}", asked)
        while rows := _fetched(name):
            yield "".join(writer.writerow([cell_of(cell) for cell in row]) for row in rows)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_cursors WHERE name = %s", [name])
            if cursor.fetchone():
                cursor.execute(f"CLOSE {name}")


def _fetched(name: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"FETCH {SLICE} FROM {name}")
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def cell_of(value: Any) -> Any:
    """Return a value as the file has it."""
    if isinstance(value, datetime):
        return value.isoformat()
    return safe(value) if isinstance(value, str) else value


def said(value: Any, column: str, unit: str) -> SafeString | str:
    """Return a value for people: an amount with the places of its unit, a moment in the reader's zone."""
    if value is None:
        return "0"
    if isinstance(value, datetime):
        return show.moment_tag(value)
    if isinstance(value, str):
        return value or show.EMPTY
    if isinstance(value, Decimal) and column not in COUNTED:
        return show.amount(value, unit)
    return show.quantity(Decimal(value)) if isinstance(value, int | Decimal) else str(value)


def table(report: Report, rows: list[tuple[Any, ...]]) -> list[list[tuple[SafeString | str, bool]]]:
    """Return the rows for people: each cell with whether it is a figure."""
    unit = report.columns.index("Unit")
    return [
        [
            (said(cell, column, row[unit]), cell is None or isinstance(cell, int | Decimal))
            for column, cell in zip(report.columns, row, strict=True)
        ]
        for row in rows
    ]


def figures(report: Report) -> list[tuple[str, bool]]:
    """Return the columns, each with whether it holds figures."""
    words = {"Unit", "Account", "Category", "Age", "Currency", "Month", "Feature", "When", "Kind", "Counterparty",
             "Reference", "Id"}  # fmt: skip
    return [(column, column not in words) for column in report.columns]


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
