"""Reports: figures of the whole ledger, on a page or as a file that streams. Apps register theirs with the desk."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from uuid_utils.compat import uuid7

from credits.admin import desk, show
from credits.admin.desk import Holds, Report
from credits.admin.spans import DaysForm, Echo, midnight, safe
from credits.amounts import say
from credits.services import clock

SHOWN = 500
SLICE = 2000
PATIENCE = "SET LOCAL statement_timeout = '300s'"
USUAL = "trial-balance"
FIGURES = {Holds.COUNT, Holds.AMOUNT, Holds.MONEY}


def page(request: HttpRequest, name: str = USUAL) -> HttpResponseBase:
    """Answer with a report: a page, or with ?format=csv a file that streams. A wrong span is told, with 400."""
    reports = desk.reports(request)
    report = reports.get(name)
    if report is None:
        if reports and name not in {each.name for each in desk.all_reports()}:
            raise Http404
        raise PermissionDenied
    today = timezone.now().date()
    usual = {"since": today - timedelta(days=365), "until": today}
    form = DaysForm(request.GET if {"since", "until"} & request.GET.keys() else usual)
    good = form.is_valid()
    asked = moments(form.cleaned_data) if good else {}
    if good and request.GET.get("format") == "csv":
        days = form.cleaned_data
        answer = StreamingHttpResponse(lines(report, asked), content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="{name}-{days["since"]}-{days["until"]}.csv"'
        return answer
    rows = _first(report, asked) if good else []
    context = {
        **admin.site.each_context(request),
        "title": report.title,
        "report": report,
        "name": name,
        "reports": reports,
        "form": form,
        "columns": [(each.title, each.holds in FIGURES) for each in report.columns if each.holds != Holds.ID],
        "rows": table(report, rows[:SHOWN]),
        "since": "%(since)s" in report.sql,
        "until": "%(until)s" in report.sql,
        "more": len(rows) > SHOWN,
    }
    return TemplateResponse(request, "admin/credits/reports.html", context, status=200 if good else 400)


def moments(days: dict[str, date]) -> dict[str, datetime]:
    """Return what a report may name: when the first day begins, when the last one ends, and now."""
    return {
        "since": midnight(days["since"]),
        "until": midnight(days["until"] + timedelta(days=1)),
        "now": clock.now(),
    }


def _first(report: Report, asked: dict[str, datetime]) -> list[tuple[Any, ...]]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(PATIENCE)
        cursor.execute(f"{report.sql} LIMIT {SHOWN + 1}", asked)  # constants of the apps' own
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def lines(report: Report, asked: dict[str, datetime]) -> Iterator[str]:
    """Yield a report as CSV from a cursor that stays in the database: memory does not grow with it."""
    writer: Any = csv.writer(Echo())
    yield writer.writerow(
        f"{each.title} (minor units)" if each.holds == Holds.MONEY else each.title for each in report.columns
    )
    name = f"report_{uuid7().hex}"
    # WITH HOLD outlives its transaction, so that none waits for a slow reader; the database keeps the rows, not we.
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(PATIENCE)
            cursor.execute(f"DECLARE {name} NO SCROLL CURSOR WITH HOLD FOR {report.sql}", asked)
        while rows := _fetched(name):
            yield "".join(writer.writerow(_written(report, row)) for row in rows)
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


def _written(report: Report, row: tuple[Any, ...]) -> list[Any]:
    unit = _named(report, row, "Unit")
    return [cell_of(cell, column.holds, unit) for cell, column in zip(row, report.columns, strict=True)]


def _named(report: Report, row: tuple[Any, ...], title: str) -> str:
    place = report.place_of(title)
    return "" if place is None else str(row[place])


def cell_of(value: Any, holds: Holds, unit: str) -> Any:
    """Return a value as the file has it: amounts with the places that they need, money in whole minor units."""
    match holds:
        case Holds.MOMENT:
            return value.isoformat()
        case Holds.AMOUNT:
            return show.written(Decimal(value), unit)
        case Holds.COUNT | Holds.MONEY:
            return say(Decimal(value or 0))
    return safe(str(value))


def said(value: Any, holds: Holds, unit: str, currency: str) -> SafeString | str:
    """Return a value for people: an amount with the places of its unit, a moment in the reader's zone."""
    match holds:
        case Holds.MOMENT:
            return show.moment_tag(value)
        case Holds.AMOUNT:
            return show.amount(value, unit)
        case Holds.MONEY:
            return show.money(int(value), currency) if currency or value else show.EMPTY
        case Holds.COUNT:
            return show.quantity(Decimal(value or 0))
    return str(value) or show.EMPTY


def table(report: Report, rows: list[tuple[Any, ...]]) -> list[list[tuple[str, SafeString | str, str]]]:
    """Return the rows for people: each cell with the title of its column, and with its classes."""
    return [
        [
            (column.title, told, classes(cell, column.holds, told))
            for column, cell in zip(report.columns, row, strict=True)
            if column.holds != Holds.ID
            for told in [said(cell, column.holds, _named(report, row, "Unit"), _named(report, row, "Currency"))]
        ]
        for row in rows
    ]


def classes(value: Any, holds: Holds, told: str) -> str:
    """Return how a cell looks: figures to the right, nothing quiet, and only names on several lines."""
    if holds in FIGURES:
        return "f-right f-number" if value else "f-right f-number f-quiet"
    shape = "f-source" if holds == Holds.NAME else "f-nowrap"
    return f"{shape} f-blank" if told == show.EMPTY else shape
