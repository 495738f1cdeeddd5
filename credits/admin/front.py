"""The front page: what is outstanding, what moved, and what waits for somebody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from credits.admin import desk, runs, show
from credits.admin.desk import Board, Tile
from credits.admin.unpriced import waiting
from credits.amounts import say_money
from credits.models import FAMILIES, GrantCategory, Overview, TaskRun
from credits.models.families import EXPIRED, GRANTED, SOLD, SPENT
from credits.plan.state import ZERO
from credits.services.overview import DAYS, overview

HEIGHT = 60
# Something of the clock's runs every minute.
QUIET = timedelta(minutes=10)


# What is drawn of a day, from below: what came in on its left, what went on its right.
CAME, WENT = (SOLD, GRANTED), (SPENT, EXPIRED)


@dataclass(frozen=True, slots=True)
class Piece:
    """A family's part of a day, in the units of the drawing."""

    name: str
    x: str
    y: str
    height: str


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the chart, and what it comes to in words."""

    x: str
    pieces: list[Piece]
    says: str


def context(request: HttpRequest, page: dict[str, Any]) -> dict[str, Any]:
    """Add to unfold's index page what ours prints."""
    sees = request.user.has_perm("credits.view_account")
    row = overview() if sees else None
    page |= {"boards": desk.boards(request), "sees": sees, "jobs": list(_jobs(request))}
    if row is not None:
        page |= {"taken_at": show.moment_tag(row.taken_at), "charts": list(_charts(row))}
    return page


def _list(model: str, **query: str) -> str:
    address = reverse(f"admin:{model.replace('.', '_')}_changelist")
    return f"{address}?{urlencode(query)}" if query else address


def outstanding(request: HttpRequest) -> Iterator[Tile]:
    """Tell the liability: credits that are still to be delivered, and what was paid for those that were bought."""
    figures = overview().figures
    for unit, category, amount, count in figures["outstanding"]:
        link = _list("credits.grant", is_open__exact="1", category__exact=category, account__unit__code__exact=unit)
        text = show.amount(Decimal(amount), unit)
        yield Tile(f"{GrantCategory(category).label} {unit}", text, link, f"in {show.many(count, 'open lot')}")
    for currency, minor, count in figures["paid_for"]:
        link = _list("credits.grant", is_open__exact="1", paid_in=currency)
        note = f"at what was paid, in {show.many(count, 'open lot')}"
        yield Tile("Bought and unspent", say_money(minor, currency), link, note)


def owed(request: HttpRequest) -> Iterator[Tile]:
    """Tell who owes: what was to be taken back after it had been spent, and what was spent beyond a balance."""
    for unit, amount, count in overview().figures.get("overdrawn", ()):
        text = show.amount(Decimal(amount), unit)
        link = _list("credits.account", condition="overdrawn", unit__code__exact=unit)
        yield Tile(f"Overdrawn in {unit}", text, link, f"within the limits of {show.many(count, 'account')}")
    for unit, amount, count in overview().figures["owed"]:
        text = show.amount(Decimal(amount), unit)
        link = _list("credits.account", condition="debt", unit__code__exact=unit)
        yield Tile(f"Debt in {unit}", text, link, f"of {show.many(count, 'account')}", alarm=True)


def moved(request: HttpRequest) -> Iterator[Tile]:
    """Tell what moved today and in thirty days, by the accounts' own days."""
    row = overview()
    figures, today = row.figures["moved"], row.taken_at.date()
    for unit in sorted({each[1] for each in figures}):
        days = [each for each in figures if each[1] == unit]
        for index, family in enumerate(FAMILIES.values(), 2):
            month = sum((Decimal(each[index]) for each in days), ZERO)
            now = sum((Decimal(each[index]) for each in days if each[0] == str(today)), ZERO)
            of = {"family": family.name, "account__unit__code__exact": unit}
            since = str(today - timedelta(days=DAYS - 1))
            note = format_html(
                '<a class="f-link" href="{}">{} in {} days</a>',
                _list("credits.transaction", **of, day_from=since), show.amount(month, unit), DAYS,
            )  # fmt: skip
            link = _list("credits.transaction", **of, day_from=str(today))
            yield Tile(f"{family.label} today, {unit}", show.amount(now, unit), link, note)


def unpriced(request: HttpRequest) -> Iterator[Tile]:
    """Tell what use waits for a price."""
    count = waiting(request)
    link = _list("credits.unpricedusage", status__exact="open")
    yield Tile("Use without a price", count or "0", link, "quarantined", bool(count))


def clock(request: HttpRequest) -> Iterator[Tile]:
    """Tell the result of the last audit, and when the clock's jobs last ran."""
    audit = TaskRun.objects.filter(job="audit_books", finished_at__isnull=False).order_by("-started_at").first()
    if audit is None:
        yield Tile("Audit of the books", "Not yet", _list("credits.taskrun", q="audit_books"), "it runs every night")
    else:
        text = "Failed" if audit.error else show.many(audit.done, "offender") if audit.done else "Clean"
        link, bad = show.page_of(TaskRun, audit.pk), bool(audit.error or audit.done)
        yield Tile("Audit of the books", text, link, show.moment_tag(audit.started_at), bad)
    last = TaskRun.objects.order_by("-started_at", "-id").first()
    link, quiet = _list("credits.taskrun"), last is None or last.started_at < timezone.now() - QUIET
    note = last.job.replace("_", " ") if last else "is beat running?"
    yield Tile("Clock ran last", show.moment_tag(last.started_at) if last else "Never", link, note, quiet)
    count = runs.failed_lately(TaskRun.objects.order_by()).count()
    yield Tile("Failed runs in a day", f"{count:,}", _list("credits.taskrun", runs="failed-lately"), "", bool(count))


def _jobs(request: HttpRequest) -> Iterator[dict[str, Any]]:
    """Tell the last run of each of the clock's jobs, for those who may see them."""
    if not request.user.has_perm("credits.view_taskrun"):
        return
    for run in TaskRun.objects.order_by("job", "-started_at", "-id").distinct("job"):
        yield {
            "link": show.link(TaskRun, run.pk, run.job.replace("_", " ").capitalize()),
            "started": show.moment_tag(run.started_at),
            "state": runs.state_of(run),
            "did": f"{run.done:,}" if run.finished_at else show.EMPTY,
            "said": run.error or run.detail,
        }


def _charts(row: Overview) -> Iterator[dict[str, Any]]:
    """Draw each unit's days by the same figures as the tiles: sold on granted, beside spent on expired."""
    today = row.taken_at.date()
    days = [str(today - timedelta(days=ago)) for ago in reversed(range(DAYS))]
    for unit in sorted({each[1] for each in row.figures["moved"]}):
        told = {day: dict(zip(FAMILIES, map(Decimal, sums), strict=True))
                for day, of, *sums in row.figures["moved"] if of == unit}  # fmt: skip
        stacks = ((figures[each.name] for each in stack) for figures in told.values() for stack in (CAME, WENT))
        most = max(sum(stack, ZERO) for stack in stacks)
        if most <= 0:
            continue
        bars = [_day(index * 10, day, told.get(day, {}), most, unit) for index, day in enumerate(days)]
        yield {"unit": unit, "bars": bars, "first": days[0], "last": days[-1], "width": str(DAYS * 10),
               "families": [*CAME, *WENT], "most": show.amount(most, unit)}  # fmt: skip


def _day(x: int, day: str, figures: dict[str, Decimal], most: Decimal, unit: str) -> Day:
    pieces = []
    for left, stack in ((x + 1, CAME), (x + 5, WENT)):
        top = HEIGHT
        for family in stack:
            if (height := round(figures.get(family.name, ZERO) * HEIGHT / most)) > 0:
                top -= height
                pieces.append(Piece(family.name, str(left), str(top), str(height)))
    told = (f"{show.amount(figures.get(each.name, ZERO), unit)} {each.label.lower()}" for each in (*CAME, *WENT))
    return Day(str(x + 1), pieces, f"{day}: {', '.join(told)}")


desk.register(
    Board("Outstanding credits", "credits.view_grant", outstanding, place=10),
    Board("Outstanding credits", "credits.view_account", owed, place=12),
    Board("Moved", "credits.view_transaction", moved, place=20),
    Board("Work waiting", "credits.view_unpricedusage", unpriced, place=7),
    Board("Clock and books", "credits.view_taskrun", clock, place=60),
)
