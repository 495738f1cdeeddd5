"""The working copy that plans are made on: one locked account, its open lots and holds, and what is planned so far."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from credits.models.accounts import account_id
from credits.plan.windows import Period, day_of, window

ZERO = Decimal(0)
ONE = Decimal(1)
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
class Charge:
    """What a charge was worked out from: how many uses, the version of the price, and what was used, as it is kept."""

    quantity: Decimal = ONE
    price: int | None = None
    usage: dict[str, Any] = field(default_factory=dict)
    # Whether there was no price, so that the amount is provisional.
    unpriced: bool = False


NO_CHARGE = Charge(ZERO)
ONE_USE = Charge()


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
    charge: Charge = ONE_USE
    captured_quantity: Decimal = ZERO
    # The lot that it freezes, where it is no hold of a caller's but a freeze.
    freezes: UUID | None = None
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
    day: date
    charge: Charge = NO_CHARGE
    # What soft limits it went past: told to the caller, not kept.
    warnings: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Posted:
    """A posted movement that another one answers, with what has been given back of it so far."""

    movement: Movement
    given_back: Decimal = ZERO
    quantity_back: Decimal = ZERO
    by_lot: dict[UUID, Decimal] = field(default_factory=dict)
    reversed: bool = False
    # Whether the movement that this one refunds was reversed.
    parent_reversed: bool = False
    # What clawbacks have taken back of it in all, that is owed of it too; what they took from which lot.
    clawed: Decimal = ZERO
    clawed_owed: Decimal = ZERO
    clawed_by_lot: dict[UUID, Decimal] = field(default_factory=dict)
    # What of its lot expired.
    expired: Decimal = ZERO


@dataclass(slots=True)
class StandingOrder:
    """The working copy of an Allotment."""

    id: int
    description: str
    amount: Decimal
    first_amount: Decimal | None
    covered: Decimal
    first_period: int
    priority: int
    anchor: datetime
    zone: str
    months: int
    rollover_cap: Decimal | None
    next_period: int
    next_at: datetime | None
    ends_at: datetime | None
    changed: bool = False


class QuotaKey(NamedTuple):
    """What names a quota of an account."""

    feature: str
    period: str
    measure: str


@dataclass(slots=True)
class QuotaCount:
    """The working copy of a Quota, with the limit that the account's allowance gives it."""

    feature: str
    period: str
    measure: str
    since_sequence: int
    window_start: datetime
    resets_at: datetime
    used: Decimal = ZERO
    limit: Decimal | None = None
    hard: bool = True
    override_limit: Decimal | None = None
    override_until: datetime | None = None
    override_reason: str = ""
    plan_limit: Decimal | None = None
    plan_hard: bool = True
    # Windows that closed since: beginning, end, what was used, the limit.
    closed: list[tuple[datetime, datetime, Decimal, Decimal | None]] = field(default_factory=list)
    changed: bool = False

    @property
    def key(self) -> QuotaKey:
        """What names it."""
        return QuotaKey(self.feature, self.period, self.measure)

    def overridden(self, at: datetime) -> bool:
        """Tell whether a limit for the time being holds."""
        return self.override_until is not None and at < self.override_until

    def limit_at(self, at: datetime) -> Decimal | None:
        """Return the limit that holds: the one for the time being, else the account's own, else its plan's."""
        if self.overridden(at):
            return self.override_limit
        return self.plan_limit if self.limit is None else self.limit

    def is_hard(self, at: datetime) -> bool:
        """Tell whether its limit refuses, or only warns."""
        return self.plan_hard if self.limit is None and not self.overridden(at) else self.hard


@dataclass(frozen=True, slots=True)
class Calendar:
    """How an account's windows lie: its time zone, the first day of its weeks, the day its months begin anew."""

    zone: str = "UTC"
    week_starts_on: int = 1
    anchor: date | None = None

    def window(self, period: str, at: datetime) -> tuple[datetime, datetime]:
        """Return the window of a period that a moment lies in: its beginning, inclusive, and its end, exclusive."""
        return window(Period(period), at, ZoneInfo(self.zone), week_starts_on=self.week_starts_on, anchor=self.anchor)

    def day(self, at: datetime) -> date:
        """Return the day that a moment lies in."""
        return day_of(at, ZoneInfo(self.zone))


UTC_CALENDAR = Calendar()


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
    calendar: Calendar = UTC_CALENDAR
    # The number of the newest price when it was read: which prices there are to choose from.
    newest_price: int = 0
    # When the balance is low: the account's own threshold, and what its balance last rose to.
    low_balance_threshold: Decimal | None = None
    recharged_to: Decimal = ZERO
    # Whether somebody may have been told lately whether it can be used, and keeps that.
    plugin_cached: bool = False
    # What the account may use: its allowance's name, features it denies, and limits as they stand there.
    allowance: str = ""
    denied: frozenset[str] = frozenset()
    limits: list[tuple[str, str, str, str, bool]] = field(default_factory=list)
    quotas: dict[QuotaKey, QuotaCount] = field(default_factory=dict)
    orders: list[StandingOrder] = field(default_factory=list)
    # Open lots in the order they are drawn; ``lots_by_id`` also knows the empty ones a refund returns to.
    lots: list[Lot] = field(default_factory=list)
    lots_by_id: dict[UUID, Lot] = field(default_factory=dict)
    in_lots: Decimal = ZERO
    holds: dict[UUID, Reservation] = field(default_factory=dict)
    # Whether every open hold and running order is here, so that the next due moment can be told exactly.
    complete: bool = False
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
        moments += [order.next_at for order in self.orders if order.next_at]
        self.next_due_at = min(moments, default=None)
        self.touched = True
