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


def told(count: QuotaCount, sheet: Sheet) -> dict[str, str]:
    """Return what a preview tells of a quota, by its label."""
    most = count.limit_at(sheet.at)
    return {
        "Limit": "None" if most is None else show.quantity(most),
        "Beyond it": show.EMPTY if most is None else "Refused" if count.is_hard(sheet.at) else "Warned",
        "Limit by": source(count, sheet) or show.EMPTY,
        "Override until": show.utc(count.override_until) if count.overridden(sheet.at) else show.EMPTY,
        "Used": show.quantity(count.used),
        "Begins anew": show.utc(count.resets_at),
    }
