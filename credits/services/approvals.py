"""What is above a cap: asked for by one, decided on by another, done once.

Lock order: the request, then the accounts. Who approves it does it in the same transaction, so that it is never done
without being approved nor approved without being done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from credits import refusals
from credits.models import ApprovalRequest, ApprovalStatus, BulkAdjustment, BulkStatus
from credits.plan import Actor
from credits.services.caps import Weight
from credits.services.once import Once, money
from credits.services.staff import Told, record_act


class NotYours(Exception):  # told to people
    """Somebody else has to decide, or it was decided. Carries why; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for, as it was filled in, and what it would have changed."""

    weight: Weight
    why: str
    key: str = ""
    account: UUID | None = None
    bulk: int | None = None
    asked: dict[str, Any] = field(default_factory=dict)
    preview: list[list[str]] = field(default_factory=list)
    reason: str = ""
    note: str = ""
    ticket: str = ""
    request_id: str = ""


def ask_approval(*, wish: Wish, actor: Actor) -> tuple[ApprovalRequest, bool]:
    """Let somebody else decide. Returns the request, and whether it is new: a key asks once. Moves nothing."""
    now = timezone.now()
    with transaction.atomic():
        row, new = ApprovalRequest.objects.get_or_create(
            key=wish.key,
            defaults={
                "action": wish.weight.action, "unit": wish.weight.unit, "amount": wish.weight.amount,
                "account_id": wish.account, "bulk_id": wish.bulk, "asked": wish.asked, "preview": wish.preview,
                "why": wish.why[:200], "reason": wish.reason, "note": wish.note[:500], "ticket": wish.ticket,
                "asked_by_id": actor.id, "asked_by_name": actor.name, "asked_at": now,
                "lapses_at": now + timedelta(hours=settings.APPROVAL_HOURS),
            },
        )  # fmt: skip
        if new:
            record_act(actor=actor, action="ask-approval", what=f"Asked for approval: {row}.", told=_told(row, wish))
    return row, new


def ask_bulk_approval(*, bulk: int, wish: Wish, actor: Actor) -> tuple[ApprovalRequest, bool]:
    """Let somebody else decide on a bulk. While a request for it waits that is the only one, whoever asks again.

    Raises InvalidField where the bulk is not to be confirmed any more.
    """
    with transaction.atomic():
        _due().filter(bulk=bulk).update(status=ApprovalStatus.LAPSED)
        row = BulkAdjustment.objects.select_for_update(no_key=True).get(pk=bulk)
        if row.status != BulkStatus.CHECKED:
            raise refusals.InvalidField("bulk", "It is not waiting to be confirmed any more.")
        asked = ApprovalRequest.objects.filter(bulk=bulk)
        waits = asked.filter(status=ApprovalStatus.WAITING).first()
        if waits is not None:
            return waits, False
        return ask_approval(wish=replace(wish, bulk=bulk, key=f"bulk:{bulk}:{asked.count()}"), actor=actor)


def waiting_of(*, bulk: int) -> ApprovalRequest | None:
    """Return the request for a bulk that somebody else may still decide on, if there is one."""
    waiting = ApprovalRequest.objects.filter(bulk=bulk, status=ApprovalStatus.WAITING)
    return waiting.filter(lapses_at__gt=timezone.now()).first()


@money
def approve(
    _once: Once | None,
    /,
    *,
    request: int,
    decider: Actor,
    decision: str,
    act: Callable[[ApprovalRequest], Any],
    request_id: str = "",
) -> ApprovalRequest | None:
    """Approve a request and do it, together. ``act`` does it and returns None where what was shown no longer holds.

    Raises NotYours where it was decided or has lapsed, or where its own asker decides; and what the service refuses.
    """
    row = _waiting(request, decider)
    if act(row) is None:
        return None
    return _decided(row, ApprovalStatus.APPROVED, decider, decision, request_id)


@money
def refuse(
    _once: Once | None, /, *, request: int, decider: Actor, decision: str, request_id: str = ""
) -> ApprovalRequest:
    """Refuse a request, for good. Raises NotYours as approving does."""
    return _decided(_waiting(request, decider), ApprovalStatus.REFUSED, decider, decision, request_id)


@money
def withdraw(_once: Once | None, /, *, request: int, asker: Actor, request_id: str = "") -> ApprovalRequest:
    """Let who asked take the request back, for good. Raises NotYours where somebody else asked, or it was decided."""
    row = _open(request)
    if row.asked_by_id != asker.id:
        raise NotYours(f"{row.asked_by_name} asked for it: only they withdraw it.")
    row.status, row.decided_at = ApprovalStatus.WITHDRAWN, timezone.now()
    row.save(update_fields=["status", "decided_at"])
    _record(row, asker, "withdraw", "Withdrew", "", request_id)
    return row


def withdrawing_requests(*, bulk: int, act: Callable[[], bool]) -> bool:
    """Decide on a bulk without its requests: where ``act`` does, they are withdrawn. Returns what it returns."""
    waiting = ApprovalRequest.objects.filter(bulk=bulk, status=ApprovalStatus.WAITING)
    # In the order of locks: who approves one has it, and waits for the bulk.
    list(waiting.select_for_update(no_key=True))
    done = act()
    if done:
        waiting.update(status=ApprovalStatus.WITHDRAWN, decided_at=timezone.now())
    return done


def lapse_due_approvals() -> int:
    """Let lapse what nobody decided on in time. Returns how many."""
    return _due().update(status=ApprovalStatus.LAPSED)


def _due() -> QuerySet[ApprovalRequest]:
    return ApprovalRequest.objects.filter(status=ApprovalStatus.WAITING, lapses_at__lte=timezone.now())


def _open(request: int) -> ApprovalRequest:
    row = ApprovalRequest.objects.select_for_update(no_key=True).get(pk=request)
    if row.status != ApprovalStatus.WAITING:
        by = f" by {row.decided_by_name}" if row.decided_by_name else ""
        raise NotYours(f"It is decided already: {row.get_status_display().lower()}{by}. Nothing was done twice.")
    if row.lapses_at <= timezone.now():
        raise NotYours("It has lapsed. It has to be asked for again.")
    return row


def _waiting(request: int, decider: Actor) -> ApprovalRequest:
    row = _open(request)
    if row.asked_by_id == decider.id:
        raise NotYours("You asked for it, so somebody else has to decide.")
    return row


def _decided(
    row: ApprovalRequest, status: ApprovalStatus, decider: Actor, decision: str, request_id: str
) -> ApprovalRequest:
    row.status, row.decision = status, decision[:500]
    row.decided_by_id, row.decided_by_name, row.decided_at = decider.id, decider.name, timezone.now()
    row.save(update_fields=["status", "decision", "decided_by_id", "decided_by_name", "decided_at"])
    verb = "approve" if status == ApprovalStatus.APPROVED else "refuse"
    _record(row, decider, verb, f"{verb.capitalize()}d", decision, request_id)
    return row


def _record(row: ApprovalRequest, actor: Actor, action: str, did: str, said: str, request_id: str) -> None:
    told = Told(
        account=row.account_id,
        subject=f"Approval request {row.pk}",
        note=said,
        ticket=row.ticket,
        before={"Status": ApprovalStatus.WAITING.label},
        after={"Status": row.get_status_display()},
        request_id=request_id,
    )
    record_act(actor=actor, action=action, what=f"{did}: {row}.", told=told)


def _told(row: ApprovalRequest, wish: Wish) -> Told:
    return Told(
        account=wish.account,
        subject=f"Approval request {row.pk}",
        reason=wish.reason,
        note=wish.note,
        ticket=wish.ticket,
        before={label: before for label, before, _ in wish.preview},
        after={label: after for label, _, after in wish.preview},
        request_id=wish.request_id,
    )
