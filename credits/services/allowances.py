"""Allowances: what accounts may use. Made once, for example for each version of a plan; accounts are put on them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from credits import refusals, units
from credits.models import Account, Allowance, Feature
from credits.models.fields import MAX_QUANTITY
from credits.models.quotas import Measure, QuotaPeriod
from credits.plan import Sheet
from credits.services import clock
from credits.services.locks import lock_account
from credits.services.once import Once, money
from credits.services.postings import post


@dataclass(frozen=True, slots=True)
class Limit:
    """How much of a feature, or of all (``feature`` empty), may be used in a period. A soft limit only warns."""

    feature: str
    period: str
    limit: Decimal
    measure: str = Measure.CREDITS
    hard: bool = True


@transaction.atomic
def add_allowance(
    *, code: str, unit: str, features: Collection[str], limits: Sequence[Limit], at: datetime | None = None
) -> Allowance:
    """Make an allowance that enables these features of the catalogue and no others, within these limits.

    Raises InvalidField for an unknown unit or feature, or limits that make no sense. Never changes afterwards.
    """
    units.decimal_places(unit)
    catalogue = set(Feature.objects.values_list("pk", flat=True))
    unknown = set(features) - catalogue
    if unknown:
        raise refusals.InvalidField("features", f"The catalogue has no {', '.join(sorted(unknown))}.")
    for limit in limits:
        _check(limit)
    if len({(limit.feature, limit.period, limit.measure) for limit in limits}) != len(limits):
        raise refusals.InvalidField("limits", "Each feature, period and measure has one limit.")
    return Allowance.objects.create(
        code=code,
        unit_id=unit,
        features=sorted(features),
        denied=sorted(catalogue - set(features)),
        limits=[[each.feature, each.period, each.measure, f"{each.limit:f}", each.hard] for each in limits],
        created_at=at or clock.moved() or Now(),
    )


@transaction.atomic
def make_default(*, code: str) -> None:
    """Let accounts without an allowance of their own be on this one, from now on; those in its unit."""
    unit = Allowance.objects.values_list("unit_id", flat=True).get(pk=code)
    Allowance.objects.filter(unit_id=unit, is_default=True).exclude(pk=code).update(is_default=False)
    Allowance.objects.filter(pk=code).update(is_default=True)


@money
def put_on_allowance(
    once: Once | None,
    /,
    *,
    account: UUID,
    code: str | None,
    ends_at: datetime | None = None,
    next_code: str | None = None,
    quota_anchor: date | None = None,
    at: datetime | None = None,
) -> Sheet:
    """Put an account on an allowance, until ``ends_at`` on this one and then on the next; None is the default one.

    The end comes by itself: no clock has to run. What was used in running windows stays counted. ``quota_anchor`` lets
    monthly quotas begin anew on its day of the month, from their next reset on.
    Raises UnknownAccount, InvalidField where an allowance is unknown or of another unit, Busy.
    """
    sheet = lock_account(account, once=once, at=at)
    for each in filter(None, (code, next_code)):
        if not Allowance.objects.filter(pk=each, unit_id=sheet.owner.unit).exists():
            raise refusals.InvalidField("allowance", f"There is no allowance {each} in {sheet.owner.unit}.")
    post([sheet], None, None)
    Account.objects.filter(pk=account).update(
        allowance_id=code,
        allowance_ends_at=ends_at,
        next_allowance_id=next_code,
        quota_anchor=quota_anchor,
        version=F("version") + 1,
    )
    return sheet


def _check(limit: Limit) -> None:
    if limit.period not in QuotaPeriod.values:
        raise refusals.InvalidField("limits", f"A period is one of {', '.join(QuotaPeriod.values)}.")
    if limit.measure not in Measure.values:
        raise refusals.InvalidField("limits", f"A measure is one of {', '.join(Measure.values)}.")
    if not limit.limit.is_finite() or not 0 <= limit.limit <= MAX_QUANTITY:
        raise refusals.InvalidField("limits", "A limit must be zero or more.")
