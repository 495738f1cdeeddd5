"""Subscriptions: read, changed, ended, resumed."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from billing.providers import stripe_objects as objects
from billing.providers import stripe_readers as readers
from billing.providers.stripe_calls import PAGE_ROWS, Calls, once

Proration = Literal["create_prorations", "always_invoice", "none"]


class SubscriptionCalls(Calls):
    def subscription(self, subscription: str) -> objects.Subscription:
        """Return a subscription, also one that has ended, with the price that it is about to change to."""
        params: Any = {"expand": ["schedule"]}
        return readers.read_subscription(self.ask(lambda: self.v1.subscriptions.retrieve(subscription, params)))

    def subscriptions_of(self, customer: str) -> list[objects.Subscription]:
        """Return all subscriptions a customer ever had, newest first."""
        return self._subscriptions(customer=customer)

    def subscriptions(self) -> list[objects.Subscription]:
        """Return all subscriptions there ever were, newest first."""
        return self._subscriptions()

    def change_subscription(
        self, subscription: str, *, price: str, proration: Proration, idempotency_key: str
    ) -> objects.Subscription:
        """Move a subscription to another price.

        With ``always_invoice`` the difference is due now, and where it is not paid nothing changes: raises
        CardDeclined, AuthenticationRequired. With ``create_prorations`` it goes onto the next invoice.
        """
        found = self.subscription(subscription)
        params: Any = {"items": [{"id": found.item, "price": price}], "proration_behavior": proration}
        self._release(found, idempotency_key)
        if proration == "always_invoice":
            params["payment_behavior"] = "error_if_incomplete"
        return self._update(subscription, params, idempotency_key)

    def schedule_change(self, subscription: str, *, price: str, interval: str, idempotency_key: str) -> None:
        """Let a subscription have another price, paid each ``interval``, from its next period on: nothing is due now.

        One that was to end goes on instead.
        """
        found = self.subscription(subscription)
        if found.ending:
            self.resume_subscription(subscription, idempotency_key=f"{idempotency_key}-keep")
        schedule = found.schedule or self._new_schedule(subscription, f"{idempotency_key}-begin")
        began = self.ask(lambda: self.v1.subscription_schedules.retrieve(schedule))["phases"][0]["start_date"]
        running: dict[str, Any] = {"items": [{"price": found.price, "quantity": found.quantity}], "start_date": began}
        running["end_date"] = int(found.current_period_end.timestamp())
        if found.status == "trialing":
            running["trial_end"] = running["end_date"]
        coming = {"items": [{"price": price, "quantity": 1}], "duration": {"interval": interval, "interval_count": 1}}
        params: Any = {"phases": [running, coming], "end_behavior": "release", "proration_behavior": "none"}
        self.ask(lambda: self.v1.subscription_schedules.update(schedule, params, once(idempotency_key)))

    def preview_change(
        self, subscription: str, *, price: str, proration: Proration, at: datetime | None = None
    ) -> objects.Preview:
        """Return what moving to another price would cost, now or at a moment."""
        item = self.subscription(subscription).item
        details: dict[str, Any] = {"items": [{"id": item, "price": price}], "proration_behavior": proration}
        if at is not None:
            details["proration_date"] = int(at.timestamp())
        params: Any = {"subscription": subscription, "subscription_details": details}
        return readers.read_preview(self.ask(lambda: self.v1.invoices.create_preview(params)))

    def cancel_subscription(
        self, subscription: str, *, at_period_end: bool, idempotency_key: str
    ) -> objects.Subscription:
        """Let a subscription run out, or end it now without giving anything back."""
        if at_period_end:
            self._release(self.subscription(subscription), idempotency_key)
            return self._update(subscription, {"cancel_at_period_end": True}, idempotency_key)
        return readers.read_subscription(self.ask(lambda: self.v1.subscriptions.cancel(subscription)))

    def resume_subscription(self, subscription: str, *, idempotency_key: str) -> objects.Subscription:
        """Take back that a subscription runs out or changes, or wake a paused one, which begins a new period."""
        found = self.subscription(subscription)
        self._release(found, idempotency_key)
        if found.status == "paused":
            options = once(idempotency_key)
            return readers.read_subscription(self.ask(lambda: self.v1.subscriptions.resume(subscription, {}, options)))
        if found.cancel_at_period_end:
            return self._update(subscription, {"cancel_at_period_end": False}, idempotency_key)
        if found.cancel_at is not None:
            return self._update(subscription, {"cancel_at": ""}, idempotency_key)
        return found

    def _new_schedule(self, subscription: str, idempotency_key: str) -> str:
        params: Any = {"from_subscription": subscription}
        made = self.ask(lambda: self.v1.subscription_schedules.create(params, once(idempotency_key)))
        return str(made["id"])

    def _release(self, found: objects.Subscription, idempotency_key: str) -> None:
        """Take a subscription from its schedule, if it has one: it goes on as it is."""
        if found.schedule:
            options = once(f"{idempotency_key}-release")
            self.ask(lambda: self.v1.subscription_schedules.release(found.schedule, {}, options))

    def _subscriptions(self, **filters: str) -> list[objects.Subscription]:
        params: Any = {"status": "all", "limit": PAGE_ROWS, **filters}
        return [readers.read_subscription(each) for each in self.rows(self.v1.subscriptions.list, params)]

    def _update(self, subscription: str, params: Any, idempotency_key: str) -> objects.Subscription:
        return readers.read_subscription(
            self.ask(lambda: self.v1.subscriptions.update(subscription, params, once(idempotency_key)))
        )
