"""What the page of an account shows of use: quotas, windows that closed, standing orders, the last thirty days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.utils.html import format_html

from credits.admin import quota_words, show
from credits.models import Account, Allotment, Measure, QuotaPeriod, QuotaWindow
from credits.plan import Sheet
from credits.plan.quotas import standing
from credits.plan.state import ZERO, QuotaCount, QuotaKey
from credits.plan.windows import Period
from credits.services import clock
from credits.statistics import Line, mark_of, statistics, usage_by_feature

MOST_WINDOWS = 30
MOST_ORDERS = 8
MOST_FEATURES = 8
DAYS = 30
CHART_HEIGHT = 56
STEP = 10


@dataclass(frozen=True)
class Bar:
    """A day of the chart, in the units of its drawing."""

    x: str
    y: str
    height: str
    says: str


def orders_of(account: Account) -> list[Allotment]:
    """Return an account's latest standing orders."""
    return list(Allotment.objects.filter(account=account.pk).order_by("-pk")[: MOST_ORDERS + 1])


def context(account: Account, sheet: Sheet, orders: list[Allotment]) -> dict[str, Any]:
    """Return what the template prints, by a number of queries that does not depend on how much there is."""
    today = sheet.calendar.day(sheet.at)
    mark = mark_of(account)
    lines = statistics(account, Period.DAILY, today=today, mark=mark, balances=False).lines
    used = usage_by_feature(account, first_day=today - timedelta(days=DAYS - 1), last_day=today, mark=mark)
    ends = _ends(account, lines)
    windows = QuotaWindow.objects.filter(account=account.pk).order_by("-window_start", "feature")[:MOST_WINDOWS]
    unit = account.unit_id
    return {
        "quotas": [_quota(count, sheet) for _, count in sorted(sheet.quotas.items()) if _tells(count, sheet)],
        "windows": [_window(row) for row in windows],
        "orders": [_order(order, unit) for order in orders[:MOST_ORDERS]],
        "more_orders": len(orders) > MOST_ORDERS,
        "chart": _chart(lines, unit),
        "curve": _curve(ends),
        "ends": [
            (f"{line.first_day:%Y-%m-%d}", show.amount(end, unit))
            for line, end in list(zip(lines, ends, strict=True))[:: DAYS - 1]
        ],
        "consumed": show.amount(sum((line.figures.consumed for line in lines), ZERO), unit),
        "most_a_day": show.amount(max((line.figures.consumed for line in lines), default=ZERO), unit),
        "first_day": f"{lines[0].first_day:%Y-%m-%d}" if lines else "",
        "last_day": f"{today:%Y-%m-%d}",
        "features": [
            {
                "name": feature or "without a feature",
                "consumed": show.amount(figures.consumed, unit),
                "refunded": show.amount(figures.refunded, unit) if figures.refunded else "",
                "uses": show.quantity(figures.uses),
            }
            for feature, figures in used[:MOST_FEATURES]
        ],
        "more_features": len(used) > MOST_FEATURES,
    }


def _tells(count: QuotaCount, sheet: Sheet) -> bool:
    return count.limit_at(sheet.at) is not None or bool(count.used)


def _quota(count: QuotaCount, sheet: Sheet) -> dict[str, Any]:
    reserved, limit = standing(sheet, count).reserved, count.limit_at(sheet.at)
    taken = count.used + reserved
    share = _percent(count.used, limit)
    overridden = count.overridden(sheet.at)
    full = limit is not None and taken >= limit
    near = limit is not None and taken * 5 >= limit * 4
    return {
        "feature": count.feature or "All features",
        "counts": f"{quota_words.COUNTS[Measure(count.measure)]} {QuotaPeriod(count.period).label}",
        "used": show.quantity(count.used),
        "reserved": show.quantity(reserved) if reserved else "",
        "limit": "no limit" if limit is None else show.quantity(limit),
        "hard": count.is_hard(sheet.at),
        "source": quota_words.source(count, sheet),
        "allowance": sheet.allowance if count.limit is None and not overridden else "",
        "until": show.moment_tag(count.override_until) if overridden else "",
        "reason": count.override_reason if overridden else "",
        "resets": show.moment_tag(count.resets_at),
        "used_percent": str(share),
        "reserved_percent": str(min(_percent(reserved, limit), 100 - share)),
        "mark": "f-full" if full else "f-near" if near else "",
        "query": urlencode(count.key._asdict()),
    }


def _percent(part: Decimal, limit: Decimal | None) -> int:
    if limit is None:
        return 0
    return min(int(part * 100 / limit), 100) if limit else 100


def _window(row: QuotaWindow) -> dict[str, Any]:
    return {
        "name": quota_words.name(QuotaKey(row.feature, row.period, row.measure)),
        "begins": show.moment_tag(row.window_start),
        "ends": show.moment_tag(row.window_end),
        "used": show.quantity(row.used),
        "limit": show.quantity(row.limit) if row.limit is not None else "no limit",
        "over": row.limit is not None and row.used > row.limit,
    }


def _order(order: Allotment, unit: str) -> dict[str, Any]:
    every = "a month" if order.months == 1 else f"every {order.months} months"
    return {
        "name": str(order),
        "source": order.source,
        "amount": f"{show.amount(order.amount, unit)} {every}",
        "rolls": "" if order.rollover_cap is None else f"up to {show.amount(order.rollover_cap, unit)} roll over",
        **_follows(order),
    }


def _follows(order: Allotment) -> dict[str, Any]:
    """Return what comes next of an order. That of a plan may cover one period: the next one brings an order anew."""
    ends = show.moment_tag(order.ends_at)
    if order.next_at is not None:
        return {"next": show.moment_tag(order.next_at), "ends": format_html("ends {}", ends) if order.ends_at else ""}
    if order.ends_at is not None and order.ends_at > clock.now():
        return {"next": format_html("All came until {}", ends), "ends": "a period that follows is ordered anew"}
    return {"next": "Ended", "ends": ends if order.ends_at else ""}


def _chart(lines: list[Line], unit: str) -> list[Bar]:
    most = max((line.figures.consumed for line in lines), default=ZERO)
    if not most:
        return []
    bars = []
    for index, line in enumerate(lines):
        consumed = line.figures.consumed
        height = max(int(consumed * CHART_HEIGHT / most), 1 if consumed else 0)
        says = (
            f"{line.first_day:%Y-%m-%d}: {show.amount(consumed, unit)} {unit}, {show.quantity(line.figures.uses)} uses"
        )
        bars.append(Bar(str(index * STEP + 1), str(CHART_HEIGHT + 2 - height), str(height), says))
    return bars


def _ends(account: Account, lines: list[Line]) -> list[Decimal]:
    """Return the balance at the end of each day: from what it is now, backwards."""
    ends, balance = [], account.balance
    for line in reversed(lines):
        ends.append(balance)
        balance -= line.figures.change
    return ends[::-1]


def _curve(ends: list[Decimal]) -> str:
    """Return the balance at the end of each day, as the points of a line."""
    least, most = min([ZERO, *ends]), max([ZERO, *ends])
    if not ends or least == most:
        return ""
    points = [
        f"{index * STEP + STEP // 2},{CHART_HEIGHT + 1 - int((end - least) * CHART_HEIGHT / (most - least))}"
        for index, end in enumerate(ends)
    ]
    return " ".join(points)
