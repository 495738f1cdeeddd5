"""What the log of staff keeps of a bulk: its state, how many lines, and what they add and take, before and after."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from django.db.models import Count, Q, QuerySet, Sum

from credits.amounts import grouped
from credits.models import BulkAdjustment, BulkLine, BulkStatus, LineStatus
from credits.plan import SYSTEM, Actor
from credits.plan.state import ZERO
from credits.services.staff import Told, record_act

Figures = dict[str, str]


def record_step(
    row: BulkAdjustment,
    *,
    actor: Actor,
    action: str,
    what: str,
    before: Figures,
    after: Figures,
    told: Told | None = None,
) -> None:
    """Write down that somebody took a bulk a step further. ``told`` is what there is to tell beside."""
    told = replace(
        told or Told(), subject=str(row), reason=row.reason, note=row.note, ticket=row.ticket, before=before,
        after=after,
    )  # fmt: skip
    record_act(actor=actor, action=action, what=what, told=told)


def record_finish(row: BulkAdjustment) -> None:
    """Write down that the last line of a bulk was done or refused."""
    after = {**done(row), "Refused": f"{row.refused_count:,}"}
    told = Told(approved_by=row.approved_by, request_id=row.request_id)
    record_step(
        row, actor=SYSTEM, action="finish-bulk", what=f"Finished {row}.", before=asked(row, BulkStatus.RUNNING),
        after=after, told=told,
    )  # fmt: skip


def asked(row: BulkAdjustment, status: str = "") -> Figures:
    """Return what its good lines were to do, in its own state or another."""
    return _figures(status or row.status, row.lines_count - row.bad_count, row.total_added, row.total_taken)


def done(row: BulkAdjustment) -> Figures:
    """Return what its lines did."""
    return _figures(row.status, *sums_of(row.lines.filter(status=LineStatus.DONE)))


def sums_of(lines: QuerySet[BulkLine]) -> tuple[int, Decimal, Decimal]:
    """Return how many lines there are, what they add, and what they take as a positive amount."""
    sums = lines.aggregate(
        lines=Count("id"),
        added=Sum("amount", filter=Q(amount__gt=0), default=ZERO),
        taken=Sum("amount", filter=Q(amount__lt=0), default=ZERO),
    )
    return sums["lines"], sums["added"], -sums["taken"]


def _figures(status: str, lines: int, added: Decimal, taken: Decimal) -> Figures:
    return {
        "Status": BulkStatus(status).label,
        "Lines": f"{lines:,}",
        "Added": grouped(added),
        "Taken": grouped(taken),
    }
