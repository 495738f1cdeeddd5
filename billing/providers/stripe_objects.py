"""What Florin reads of Stripe's objects (API version 2026-10-28.endive), as small values. Pure: no network, no clock.

Amounts are whole numbers in the currency's smallest unit, currencies three small letters, moments aware. References are
ids, whether or not Stripe printed the object in their place; a reference to nothing is "". ``livemode`` is never mixed:
where an object does not tell it (refunds, balance transactions), it is that of the key which asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Raw = Mapping[str, Any]
# PostgreSQL keeps neither NUL nor half a surrogate pair.
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Customer:
    id: str
    email: str
    name: str
    deleted: bool
    # The saved card that invoices are charged to.
    default_payment_method: str
    metadata: dict[str, str]
    livemode: bool


@dataclass(frozen=True, slots=True)
class Card:
    """A saved payment method."""

    id: str
    customer: str
    kind: str
    brand: str
    last4: str
    livemode: bool


@dataclass(frozen=True, slots=True)
class Price:
    """``interval`` is "" for a price that is paid once."""

    id: str
    product: str
    lookup_key: str
    nickname: str
    active: bool
    currency: str
    unit_amount: int
    interval: str
    interval_count: int
    metadata: dict[str, str]
    livemode: bool


@dataclass(frozen=True, slots=True)
class CheckoutSession:
    """``payment_status`` is paid, unpaid or no_payment_required; ``status`` open, complete or expired."""

    id: str
    url: str
    mode: str
    status: str
    payment_status: str
    customer: str
    payment_intent: str
    subscription: str
    invoice: str
    setup_intent: str
    client_reference_id: str
    amount_total: int
    currency: str
    metadata: dict[str, str]
    created: datetime
    expires_at: datetime
    livemode: bool


@dataclass(frozen=True, slots=True)
class PortalSession:
    id: str
    url: str
    customer: str
    livemode: bool


@dataclass(frozen=True, slots=True)
class Subscription:
    """With its one item. The portal cancels by ``cancel_at`` alone: ask ``ending``."""

    id: str
    customer: str
    status: str
    item: str
    price: str
    quantity: int
    currency: str
    # What periods are counted from.
    anchor: datetime
    current_period_start: datetime
    current_period_end: datetime
    cancel_at_period_end: bool
    cancel_at: datetime | None
    canceled_at: datetime | None
    ended_at: datetime | None
    trial_end: datetime | None
    # What becomes of invoices while their collection is paused, or "": void, keep_as_draft, mark_uncollectible.
    paused: str
    latest_invoice: str
    default_payment_method: str
    metadata: dict[str, str]
    created: datetime
    livemode: bool
    # What manages it, and the price that it has from its next period on, where that is another one.
    schedule: str = ""
    next_price: str = ""

    @property
    def ending(self) -> bool:
        """Whether it was cancelled and runs out."""
        return self.cancel_at_period_end or self.cancel_at is not None


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """``period`` is what the line pays for. The invoice's own period is the one before it."""

    id: str
    amount: int
    price: str
    quantity: int
    subscription: str
    proration: bool
    period_start: datetime
    period_end: datetime


@dataclass(frozen=True, slots=True)
class Invoice:
    id: str
    number: str
    customer: str
    subscription: str
    status: str
    billing_reason: str
    currency: str
    total: int
    amount_due: int
    amount_paid: int
    attempt_count: int
    next_payment_attempt: datetime | None
    paid_at: datetime | None
    hosted_invoice_url: str
    lines: tuple[InvoiceLine, ...]
    # The payment intents that paid it.
    payment_intents: tuple[str, ...]
    # That of the subscription when the invoice was made.
    metadata: dict[str, str]
    created: datetime
    livemode: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """What changing a subscription would cost: ``amount_due`` on the next invoice, ``prorated`` for the change."""

    subscription: str
    currency: str
    total: int
    amount_due: int
    prorated: int
    lines: tuple[InvoiceLine, ...]
    livemode: bool


@dataclass(frozen=True, slots=True)
class PaymentIntent:
    """``error`` and ``decline_code`` tell why the last try failed."""

    id: str
    status: str
    amount: int
    amount_received: int
    currency: str
    customer: str
    latest_charge: str
    payment_method: str
    error: str
    decline_code: str
    metadata: dict[str, str]
    created: datetime
    livemode: bool


@dataclass(frozen=True, slots=True)
class Charge:
    """``amount_refunded`` is the sum of all refunds up to now."""

    id: str
    status: str
    amount: int
    amount_refunded: int
    refunded: bool
    disputed: bool
    currency: str
    customer: str
    payment_intent: str
    payment_method: str
    balance_transaction: str
    failure_code: str
    receipt_url: str
    metadata: dict[str, str]
    created: datetime
    livemode: bool


@dataclass(frozen=True, slots=True)
class Refund:
    id: str
    status: str
    amount: int
    currency: str
    charge: str
    payment_intent: str
    reason: str
    failure_reason: str
    metadata: dict[str, str]
    created: datetime
    livemode: bool


@dataclass(frozen=True, slots=True)
class Dispute:
    """``withheld`` is how much of the amount Stripe holds back now: nothing for an inquiry, or after it was won."""

    id: str
    status: str
    amount: int
    withheld: int
    currency: str
    charge: str
    payment_intent: str
    reason: str
    due_by: datetime | None
    created: datetime
    livemode: bool


@dataclass(frozen=True, slots=True)
class BalanceTransaction:
    """Money in or out of the Stripe account. ``source`` is the charge, refund or dispute behind it."""

    id: str
    type: str
    reporting_category: str
    source: str
    amount: int
    fee: int
    net: int
    currency: str
    created: datetime
    livemode: bool


@dataclass(frozen=True, slots=True)
class Event:
    """What a webhook says. ``payload`` is all of it; its object may be out of date: only its id is to be believed."""

    id: str
    type: str
    object_id: str
    object_type: str
    created: datetime
    livemode: bool
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An event that is none: it cannot be kept or followed. ``id`` is what of its id can be told."""

    id: str
    why: str


@dataclass(frozen=True, slots=True)
class Events:
    """What happened, oldest first."""

    readable: list[Event]
    unreadable: list[Unreadable]


def moment(told: int) -> datetime:
    """Return a moment told in seconds since 1970."""
    return datetime.fromtimestamp(told, UTC)


def moment_or_none(told: int | None) -> datetime | None:
    """Return a moment, where one is told."""
    return None if told is None else moment(told)


def reference(told: Any) -> str:
    """Return the id of what is referred to, "" for nothing."""
    if isinstance(told, Mapping):
        return str(told["id"])
    return str(told or "")


def text(told: Any) -> str:
    """Return a text, "" for none."""
    return str(told or "")


def storable(told: Any) -> Any:
    """Return what was told, with a replacement for each letter that cannot be kept."""
    match told:
        case str():
            return UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", told)
        case dict():
            return {storable(name): storable(value) for name, value in told.items()}
        case list():
            return [storable(each) for each in told]
    return told


def labels(raw: Raw) -> dict[str, str]:
    """Return an object's metadata."""
    return dict(raw.get("metadata") or {})
