"""What the world hears of what was planned: an event for each movement, and one where a threshold is crossed.

A balance is low at the account's own threshold, or at a percentage of what it last rose to. An account may be used
(its *plugin* is enabled) while it is active and has credits, or an overdraft, left.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from credits.models.accounts import AccountStatus
from credits.models.events import EventType
from credits.models.transactions import TransactionKind
from credits.plan.state import ZERO, Actor, Movement, Sheet

TYPES = {
    TransactionKind.TOPUP: EventType.RECHARGED,
    TransactionKind.PLAN: EventType.RECHARGED,
    TransactionKind.TRIAL: EventType.RECHARGED,
    TransactionKind.PROMOTION: EventType.RECHARGED,
    TransactionKind.ORDER: EventType.RECHARGED,
    TransactionKind.USAGE: EventType.CONSUMED,
    TransactionKind.CAPTURE: EventType.CONSUMED,
    TransactionKind.REFUND: EventType.REFUNDED,
    TransactionKind.ADJUSTMENT: EventType.ADJUSTED,
    TransactionKind.EXPIRY: EventType.EXPIRED,
    TransactionKind.TRANSFER: EventType.TRANSFERRED,
    TransactionKind.CLAWBACK: EventType.DEBT_REPAID,
    TransactionKind.REVERSAL: EventType.REVERSED,
}
# What gives back fills up to nothing new: the percentage goes on to be of what it was.
RECHARGING = {EventType.RECHARGED, EventType.ADJUSTED, EventType.TRANSFERRED}


@dataclass(frozen=True, slots=True)
class News:
    """One event, planned."""

    type: EventType
    account: UUID
    payload: dict[str, Any]
    recorded_at: datetime
    version: int = 1


def tell(sheet: Sheet, percent: Decimal) -> list[News]:
    """Return the events of what was planned on a sheet, in order, and remember what its balance has risen to."""
    told: list[News] = []
    for movement in sheet.movements:
        event = type_of(movement)
        told.append(News(event, sheet.id, _moved(movement, sheet.id), movement.recorded_at))
        threshold = low_at(sheet.low_balance_threshold, sheet.recharged_to, percent)
        told += _crossed(sheet, movement, threshold)
        # A gift too small to lift a balance that is low leaves the threshold where it is.
        if event in RECHARGING and movement.amount > 0 and movement.balance_after > (threshold or ZERO):
            sheet.recharged_to = movement.balance_after
    return told


def type_of(movement: Movement) -> EventType:
    """Return which event tells of a movement.

    What is taken back of an order or a payment that was refunded is a refund too: its amount is negative.
    """
    if movement.kind == TransactionKind.CLAWBACK and movement.parent_id is not None:
        return EventType.REFUNDED
    return TYPES[TransactionKind(movement.kind)]


def low_at(own: Decimal | None, recharged_to: Decimal, percent: Decimal) -> Decimal | None:
    """Return the balance at which an account counts as low; None where there is none."""
    if own is not None:
        return own
    return recharged_to * percent / 100 if percent and recharged_to > 0 else None


def usable(status: str, balance: Decimal, overdraft_limit: Decimal) -> bool:
    """Tell whether an account may be used: it is active, and something is left."""
    return status == AccountStatus.ACTIVE and balance + overdraft_limit > 0


def status_changed(sheet: Sheet, *, enabled: bool, reason: str, at: datetime, balance: Decimal) -> News:
    """Return the event of an account whose use was switched on or off."""
    return News(
        EventType.PLUGIN_STATUS_CHANGED,
        sheet.id,
        {
            **_whose(sheet),
            "status": "enabled" if enabled else "disabled",
            "reason": reason,
            "new_balance": balance,
            "recorded_at": at,
        },
        at,
    )


def source_of(actor: Actor) -> str:
    """Return through whom a movement came, without naming a member of staff to the world."""
    return "staff" if actor.kind == "staff" else actor.name


def _moved(movement: Movement, account: UUID) -> dict[str, Any]:
    memo = movement.memo
    return {
        "merchant_id": movement.owner.external_id,
        "account_id": account,
        "unit": movement.owner.unit,
        "transaction_id": movement.id,
        "sequence": movement.sequence,
        "kind": movement.kind,
        "amount": movement.amount,
        "new_balance": movement.balance_after,
        "debt": movement.debt,
        "source": source_of(memo.actor),
        "reference_type": memo.reference_type,
        "reference_id": memo.reference_id,
        "feature": memo.feature,
        "recorded_at": movement.recorded_at,
    }


def _crossed(sheet: Sheet, movement: Movement, threshold: Decimal | None) -> list[News]:
    """Return the events of the thresholds that a movement took the balance across."""
    before, after = movement.balance_before, movement.balance_after
    crossed: list[tuple[EventType, Decimal]] = []
    if threshold is not None and before > threshold >= after:
        crossed.append((EventType.LOW_BALANCE_REACHED, threshold))
    # What has only just been opened was not low before.
    if threshold is not None and after > threshold >= before and movement.sequence > 1:
        crossed.append((EventType.BALANCE_RESTORED, threshold))
    if before > 0 >= after:
        crossed.append((EventType.BALANCE_EXHAUSTED, ZERO))
    told = [News(event, sheet.id, _crossing(sheet, movement, limit), movement.recorded_at) for event, limit in crossed]
    enabled = usable(sheet.status, after, sheet.overdraft_limit)
    if enabled != usable(sheet.status, before, sheet.overdraft_limit):
        told.append(status_changed(sheet, enabled=enabled, reason="balance", at=movement.recorded_at, balance=after))
    return told


def _crossing(sheet: Sheet, movement: Movement, threshold: Decimal) -> dict[str, Any]:
    return {
        **_whose(sheet),
        "transaction_id": movement.id,
        "sequence": movement.sequence,
        "threshold": threshold,
        "old_balance": movement.balance_before,
        "new_balance": movement.balance_after,
        "recorded_at": movement.recorded_at,
    }


def _whose(sheet: Sheet) -> dict[str, Any]:
    return {"merchant_id": sheet.owner.external_id, "account_id": sheet.id, "unit": sheet.owner.unit}
