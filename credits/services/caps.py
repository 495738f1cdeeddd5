"""How much somebody may do without a second person.

A cap binds a role, an action and a unit. Who has several roles has the highest of their caps; a role without one does
not lift another's. A role that has caps for an action, but none in a unit, may do nothing alone in that unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from credits.amounts import grouped
from credits.models import StaffAct, StaffCap
from credits.plan.state import ZERO

# The right to approve, as Django names it.
DECIDE = "decide_approvalrequest"


class AboveCap(Exception):  # not an error: a second person decides
    """It takes a second person. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Weight:
    """What counts against a cap: so much of a unit, by an action, as a positive amount."""

    action: str
    unit: str
    amount: Decimal


def lock_day(*, user: Any, weight: Weight) -> None:
    """Let one request of somebody's at a time spend from their day, until the transaction ends.

    Taken before any account, so that whoever waits for it holds nothing that others wait for.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 7))", [f"{user.pk}:{weight.action}:{weight.unit}"]
        )


def check_cap(*, user: Any, weight: Weight) -> None:
    """Raise AboveCap where somebody may not do that much alone, now or any more today."""
    if user.is_superuser:
        return
    caps = list(StaffCap.objects.filter(role__in=user.groups.values("name"), action=weight.action))
    if not caps:
        return
    ours = [cap for cap in caps if cap.unit_id == weight.unit]
    at_once = max((cap.per_action for cap in ours), default=ZERO)
    if weight.amount > at_once:
        raise AboveCap(f"More than {grouped(at_once)} {weight.unit} at once takes a second person.")
    a_day = max(cap.per_day for cap in ours)
    spent = spent_today(user=user, weight=weight)
    if spent + weight.amount > a_day:
        raise AboveCap(
            f"More than {grouped(a_day)} {weight.unit} in a day takes a second person; {grouped(spent)} are used today."
        )


def check_approval(*, user: Any, weight: Weight) -> None:
    """Raise AboveCap where somebody may not approve that much for another.

    What they may do alone does not bind it: two people see it. The rows of the roles that let them decide do, the
    highest of them; in a unit without one they may approve nothing, as they may do nothing alone there.
    """
    if user.is_superuser:
        return
    deciding = user.groups.filter(permissions__codename=DECIDE).values("name")
    rows = list(StaffCap.objects.filter(role__in=deciding, action=weight.action))
    bounds = [row.per_approval for row in rows if row.unit_id == weight.unit]
    if not rows or None in bounds:
        return
    most = max((bound for bound in bounds if bound is not None), default=ZERO)
    if weight.amount > most:
        may = f"up to {grouped(most)} {weight.unit} at once" if bounds else f"nothing in {weight.unit}: there is no cap"
        raise AboveCap(f"You may approve {may}; somebody else has to decide.")


def rename_role(*, before: str, after: str) -> None:
    """Let the caps of a role go with its new name."""
    StaffCap.objects.filter(role=before).update(role=after)


def spent_today(*, user: Any, weight: Weight) -> Decimal:
    """Return what somebody did today alone of an action, in a unit. What was approved does not count."""
    midnight = datetime.combine(timezone.now().astimezone(UTC).date(), datetime.min.time(), UTC)
    alone = StaffAct.objects.filter(
        actor_id=str(user.pk), action=weight.action, unit=weight.unit, at__gte=midnight, approved_by=""
    )
    spent: Decimal | None = alone.aggregate(sum=Sum("amount"))["sum"]
    return spent or ZERO
