"""The working copy that plans are made on: one locked account, its open lots and holds, and what is planned so far."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from credits.models.accounts import account_id

ZERO = Decimal(0)
FOREVER = datetime.max.replace(tzinfo=UTC)

Draws = list[tuple[UUID, Decimal]]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: an API key, a member of staff, or the system itself."""

    kind: str
    id: str = ""
    name: str = ""


SYSTEM = Actor("system", name="Florin")


@dataclass(frozen=True, slots=True)
class Memo:
    """Who moves credits and why: what every movement and hold keeps beside its amount."""

    actor: Actor
    feature: str = ""
    description: str = ""
    reason: str = ""
    reference_type: str = ""
    reference_id: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose account it is, and in which unit. The two name an account; its primary key is derived from them."""

    external_id: str
    unit: str

    @property
    def account(self) -> UUID:
        """The account's primary key."""
        return account_id(self.external_id, self.unit)


@dataclass(slots=True)
class Lot:
    """The working copy of a Grant. ``opening_sequence`` is set for lots this plan opens and read for the others."""

    id: UUID
    amount: Decimal
    remaining: Decimal
    held: Decimal
    category: str
    priority: int = 50
    expires_at: datetime | None = None
    transferable: bool = True
    paid_currency: str = ""
    paid_minor: int = 0
    source: str = ""
    origin: UUID | None = None
    opening_sequence: int = 0
    is_new: bool = False
    changed: bool = False

    @property
    def free(self) -> Decimal:
        """What of it no hold reserves."""
        return self.remaining - self.held

    def lapsed(self, at: datetime) -> bool:
        """Tell whether its free part has expired."""
        return self.expires_at is not None and self.expires_at <= at and self.free > 0

    @property
    def turn(self) -> tuple[int, datetime, UUID]:
        """Its place among the lots: priority, then earliest expiry, then oldest (lot ids grow with time)."""
        return (self.priority, self.expires_at or FOREVER, self.id)


@dataclass(slots=True)
class Reservation:
    """The working copy of a Hold."""

    id: UUID
    owner: Owner
    amount: Decimal
    captured: Decimal
    status: str
    lots: Draws
    abandonment_charge: Decimal
    expires_at: datetime
    memo: Memo
    created_at: datetime
    closed_at: datetime | None = None
    is_new: bool = False
    changed: bool = False

    @property
    def remaining(self) -> Decimal:
        """What it still sets aside."""
        return self.amount - self.captured if self.status == "open" else ZERO


@dataclass(slots=True)
class Movement:
    """One transaction, planned or posted: the facts of the row without its hash."""

    id: UUID
    owner: Owner
    sequence: int
    kind: str
    amount: Decimal
    balance_before: Decimal
    balance_after: Decimal
    debt: Decimal
    counterparty: str
    draws: Draws
    memo: Memo
    parent_id: UUID | None
    hold_id: UUID | None
    recorded_at: datetime


@dataclass(slots=True)
class Posted:
    """A posted movement that another one answers, with what has been given back of it so far."""

    movement: Movement
    given_back: Decimal = ZERO
    by_lot: dict[UUID, Decimal] = field(default_factory=dict)
    reversed: bool = False
    # Whether the movement that this one refunds was reversed.
    parent_reversed: bool = False


@dataclass(slots=True)
class Sheet:
    """One locked account as the plan changes it. Nothing here is written until ``postings.post``."""

    id: UUID
    owner: Owner
    decimal_places: int
    status: str
    balance: Decimal
    held: Decimal
    overdraft_limit: Decimal
    debt: Decimal
    sequence: int
    version: int
    head_hash: str
    at: datetime
    next_due_at: datetime | None
    # Open lots in the order they are drawn; ``lots_by_id`` also knows the empty ones a refund returns to.
    lots: list[Lot] = field(default_factory=list)
    lots_by_id: dict[UUID, Lot] = field(default_factory=dict)
    in_lots: Decimal = ZERO
    holds: dict[UUID, Reservation] = field(default_factory=dict)
    # Whether ``holds`` has every open one, so that the next due moment can be told exactly.
    holds_complete: bool = False
    posted: dict[UUID, Posted] = field(default_factory=dict)
    references: dict[tuple[str, str, str], Movement] = field(default_factory=dict)
    hold_references: dict[tuple[str, str], Reservation] = field(default_factory=dict)
    movements: list[Movement] = field(default_factory=list)
    touched: bool = False

    @property
    def available(self) -> Decimal:
        """What can be spent or held now."""
        return self.balance - self.held + self.overdraft_limit

    @property
    def overdrawn(self) -> Decimal:
        """What was spent beyond the lots: the difference between what lots hold and the balance."""
        return self.in_lots - self.balance

    def place(self, lot: Lot) -> None:
        """Put a lot on the sheet, in its turn where it is open."""
        self.lots_by_id[lot.id] = lot
        if lot.remaining:
            self.in_lots += lot.remaining
            insort(self.lots, lot, key=lambda other: other.turn)

    def change_lot(self, lot: Lot, *, remaining: Decimal = ZERO, held: Decimal = ZERO) -> None:
        """Change what a lot holds by the two differences, and open or close it as they ask."""
        was_open = bool(lot.remaining)
        lot.remaining += remaining
        lot.held += held
        lot.changed = self.touched = True
        self.in_lots += remaining
        if lot.free:
            self.due(lot.expires_at)
        if was_open and not lot.remaining:
            del self.lots[bisect_left(self.lots, lot.turn, key=lambda other: other.turn)]
        elif lot.remaining and not was_open:
            insort(self.lots, lot, key=lambda other: other.turn)

    def due(self, moment: datetime | None) -> None:
        """Remember that something falls due then, if it is the earliest so far."""
        if moment is not None and (self.next_due_at is None or moment < self.next_due_at):
            self.next_due_at = moment
            self.touched = True

    def reckon_due(self) -> None:
        """Tell the next due moment anew, from every open lot and hold."""
        moments = [lot.expires_at for lot in self.lots if lot.expires_at and lot.free]
        moments += [hold.expires_at for hold in self.holds.values() if hold.status == "open"]
        self.next_due_at = min(moments, default=None)
        self.touched = True
