"""How quotas read."""

from __future__ import annotations

from credits.admin import show
from credits.models import Measure, QuotaPeriod
from credits.plan import Sheet
from credits.plan.state import QuotaCount, QuotaKey

COUNTS = {Measure.CREDITS: "credits", Measure.QUANTITY: "uses"}


def name(key: QuotaKey) -> str:
    """Return what names a quota: credits for ml-analysis a day."""
    return f"{COUNTS[Measure(key.measure)]} for {key.feature or 'all features'} {QuotaPeriod(key.period).label}"


def source(count: QuotaCount, sheet: Sheet) -> str:
    """Return whose limit it is."""
    if count.overridden(sheet.at):
        return "Override"
    return "Account" if count.limit is not None else "Plan" if count.plan_limit is not None else ""


def limit(count: QuotaCount, sheet: Sheet) -> str:
    """Return the limit that holds, what happens beyond it, and whose it is."""
    most = count.limit_at(sheet.at)
    if most is None:
        return "No limit"
    beyond = "refuses" if count.is_hard(sheet.at) else "warns"
    until = f" until {show.moment(count.override_until)}" if count.overridden(sheet.at) else ""
    return f"{show.quantity(most)}, {beyond} ({source(count, sheet).lower()}{until})"
