"""The log of what staff did: one door for writing it, in the transaction of what is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils import timezone

from credits.models import StaffAct
from credits.plan import Actor

NOBODY = Actor("staff", "", "")


@dataclass(frozen=True, slots=True)
class Told:
    """What the log keeps of an act beside who and what. ``amount`` is what counts against a cap."""

    account: UUID | None = None
    subject: str = ""
    reason: str = ""
    note: str = ""
    ticket: str = ""
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    unit: str = ""
    amount: Decimal | None = None
    approved_by: str = ""
    request_id: str = ""


def record_act(*, actor: Actor, action: str, what: str, told: Told | None = None) -> StaffAct:
    """Write down what somebody did, for good."""
    told = told or Told()
    return StaffAct.objects.create(
        at=timezone.now(),
        actor_id=actor.id,
        actor_name=actor.name[:150],
        action=action[:40],
        what=what,
        account_id=told.account,
        subject=told.subject[:200],
        reason=told.reason,
        note=told.note[:500],
        ticket=told.ticket[:64],
        before=told.before,
        after=told.after,
        unit=told.unit,
        amount=told.amount,
        approved_by=told.approved_by,
        request_id=told.request_id[:64],
    )
