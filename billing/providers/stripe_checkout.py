"""Customers, and the pages they are sent to."""

from __future__ import annotations

from typing import Any

from billing.providers import stripe_objects as objects
from billing.providers import stripe_readers as readers
from billing.providers.stripe_calls import PAGE_ROWS, Calls, Metadata, given, once


class CheckoutCalls(Calls):
    def create_customer(self, *, account_ref: str, email: str, name: str, idempotency_key: str) -> objects.Customer:
        """Make the customer of an account, whose reference is kept in the metadata as ``account``."""
        params: Any = {"metadata": {"account": account_ref}, **given(email=email, name=name)}
        made = self.ask(lambda: self.v1.customers.create(params, once(idempotency_key)))
        return readers.read_customer(made, livemode=self.livemode)

    def customer(self, customer: str) -> objects.Customer:
        """Return a customer; a deleted one says so."""
        found = self.ask(lambda: self.v1.customers.retrieve(customer))
        return readers.read_customer(found, livemode=self.livemode)

    def cards_of(self, customer: str) -> list[objects.Card]:
        """Return the cards that a customer saved, newest first."""
        params: Any = {"type": "card", "limit": PAGE_ROWS}
        return [readers.read_card(each) for each in self.rows(self.v1.customers.payment_methods.list, customer, params)]

    def checkout_pack(
        self,
        *,
        customer: str,
        price: str,
        quantity: int = 1,
        success_url: str,
        cancel_url: str,
        reference: str,
        metadata: Metadata,
        idempotency_key: str,
        save_card: bool = False,
    ) -> objects.CheckoutSession:
        """Open a Checkout page for a pack, paid once. The payment and its charge carry the metadata too.

        ``{CHECKOUT_SESSION_ID}`` in ``success_url`` is filled in by Stripe. ``save_card``: to be charged later.
        """
        data: dict[str, Any] = {"metadata": dict(metadata)}
        if save_card:
            data["setup_future_usage"] = "off_session"
        items = [{"price": price, "quantity": quantity}]
        return self._checkout(
            "payment", customer, success_url, cancel_url, reference, metadata, idempotency_key,
            line_items=items, payment_intent_data=data,
        )  # fmt: skip

    def checkout_plan(
        self,
        *,
        customer: str,
        price: str,
        success_url: str,
        cancel_url: str,
        reference: str,
        metadata: Metadata,
        idempotency_key: str,
        trial_days: int = 0,
    ) -> objects.CheckoutSession:
        """Open a Checkout page for a plan. The subscription carries the metadata too."""
        data: dict[str, Any] = {"metadata": dict(metadata), **given(trial_period_days=trial_days)}
        return self._checkout(
            "subscription", customer, success_url, cancel_url, reference, metadata, idempotency_key,
            line_items=[{"price": price, "quantity": 1}], subscription_data=data,
        )  # fmt: skip

    def checkout_card(
        self,
        *,
        customer: str,
        success_url: str,
        cancel_url: str,
        reference: str,
        metadata: Metadata,
        idempotency_key: str,
        currency: str,
    ) -> objects.CheckoutSession:
        """Open a Checkout page that only saves a card, to be charged later."""
        return self._checkout(
            "setup", customer, success_url, cancel_url, reference, metadata, idempotency_key, currency=currency
        )

    def checkout_session(self, session: str) -> objects.CheckoutSession:
        """Return a Checkout session."""
        return readers.read_session(self.ask(lambda: self.v1.checkout.sessions.retrieve(session)))

    def session_of(self, intent: str) -> objects.CheckoutSession | None:
        """Return the Checkout session that a payment was made in, if it was in one."""
        params: Any = {"payment_intent": intent, "limit": PAGE_ROWS}
        found = self.rows(self.v1.checkout.sessions.list, params)
        return readers.read_session(found[0]) if found else None

    def expire_checkout(self, session: str) -> objects.CheckoutSession:
        """Close a Checkout page that nobody has paid on."""
        return readers.read_session(self.ask(lambda: self.v1.checkout.sessions.expire(session)))

    def portal(self, *, customer: str, return_url: str) -> objects.PortalSession:
        """Open the customer portal: cards, invoices, cancelling."""
        params: Any = {"customer": customer, "return_url": return_url}
        return readers.read_portal(self.ask(lambda: self.v1.billing_portal.sessions.create(params)))

    def _checkout(
        self,
        mode: str,
        customer: str,
        success_url: str,
        cancel_url: str,
        reference: str,
        metadata: Metadata,
        idempotency_key: str,
        **more: Any,
    ) -> objects.CheckoutSession:
        params: Any = {"mode": mode, "customer": customer, "success_url": success_url, "cancel_url": cancel_url}
        params |= {"client_reference_id": reference, "metadata": dict(metadata), **more}
        return readers.read_session(self.ask(lambda: self.v1.checkout.sessions.create(params, once(idempotency_key))))
