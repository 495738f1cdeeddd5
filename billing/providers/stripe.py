"""Stripe: the only code that calls it, by its SDK, and what it returns are small values of ours.

The key is kept in the SDK's client alone: no log line, error or repr has it. Every write takes a key that the caller
derives from a row of its own, so that what was sent twice is done once; Stripe remembers a key for at least a day.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings

from billing import refusals
from billing.providers import stripe_objects as objects
from billing.providers import stripe_readers as readers
from billing.providers.stripe_calls import PAGE_ROWS, Metadata, given, once
from billing.providers.stripe_events import read_event
from billing.providers.stripe_money import MoneyCalls
from billing.providers.stripe_signatures import verify
from billing.providers.stripe_subscriptions import SubscriptionCalls

__all__ = ["Stripe", "client", "forget", "verify"]

log = logging.getLogger(__name__)


class Stripe(SubscriptionCalls, MoneyCalls):
    """One Stripe account in one mode, which the key decides. Threads share it, with its connections.

    No method is called inside a database transaction: rows would stay locked while Stripe thinks. All raise
    StripeUnreachable, StripeRefused and, for an id that Stripe does not know, StripeNotFound. After StripeUnreachable a
    write may have been done: the same call with the same key tells.
    """

    def events_since(self, since: datetime, *, types: Sequence[str] = ()) -> objects.Events:
        """Return what happened from a moment on, oldest first. Stripe remembers 30 days, and takes up to 20 types."""
        params: Any = {"created": {"gte": int(since.timestamp())}, "limit": PAGE_ROWS, **given(types=list(types))}
        told = objects.Events([], [])
        for each in reversed(self.rows(self.v1.events.list, params)):
            try:
                told.readable.append(read_event(each))
            except refusals.NoEvent as refusal:
                told.unreadable.append(objects.Unreadable(objects.text(each.get("id"))[:255], refusal.detail))
        return told

    def event(self, event: str) -> objects.Event:
        """Return an event. Raises NoEvent where it cannot be read."""
        return read_event(self.ask(lambda: self.v1.events.retrieve(event)))

    def balance_transactions_since(self, since: datetime) -> list[objects.BalanceTransaction]:
        """Return every movement of the balance from a moment on, oldest first."""
        params: Any = {"created": {"gte": int(since.timestamp())}, "limit": PAGE_ROWS}
        found = reversed(self.rows(self.v1.balance_transactions.list, params))
        return [readers.read_balance(each, livemode=self.livemode) for each in found]

    def create_price(
        self,
        *,
        name: str,
        lookup_key: str,
        currency: str,
        unit_amount: int,
        interval: str = "",
        metadata: Metadata,
        idempotency_key: str,
    ) -> objects.Price:
        """Put a pack, or with an ``interval`` (month, year) a plan, into Stripe's catalogue, each with its product."""
        params: Any = {"currency": currency, "unit_amount": unit_amount, "lookup_key": lookup_key, "nickname": name}
        params |= {"product_data": {"name": name}, "metadata": dict(metadata)}
        if interval:
            params["recurring"] = {"interval": interval}
        return readers.read_price(self.ask(lambda: self.v1.prices.create(params, once(idempotency_key))))

    def prices(self) -> list[objects.Price]:
        """Return every price, also those no longer sold, newest first."""
        params: Any = {"limit": PAGE_ROWS}
        return [readers.read_price(each) for each in self.rows(self.v1.prices.list, params)]


_lock = threading.Lock()
_clients: list[Stripe] = []


def client() -> Stripe:
    """Return this process's Stripe, made when it is first asked for. Raises StripeMissing where there is none."""
    with _lock:
        if not _clients:
            if not settings.STRIPE_SECRET_KEY:
                log.error("STRIPE_SECRET_KEY is not set: nothing can be paid")
                raise refusals.StripeMissing("No payment provider is configured.")
            _clients.append(
                Stripe(
                    settings.STRIPE_API_BASE,
                    api_key=settings.STRIPE_SECRET_KEY,
                    seconds=settings.STRIPE_TIMEOUT_SECONDS,
                )
            )
        return _clients[0]


def forget() -> None:
    """Close this process's Stripe; the next call makes one anew, from the settings as they are then."""
    with _lock:
        while _clients:
            _clients.pop().close()
