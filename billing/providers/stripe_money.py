"""Invoices, payments, charges, refunds and disputes."""

from __future__ import annotations

from typing import Any

from billing import refusals
from billing.providers import stripe_objects as objects
from billing.providers import stripe_readers as readers
from billing.providers.stripe_calls import PAGE_ROWS, Metadata, once
from billing.providers.stripe_checkout import CheckoutCalls
from billing.providers.stripe_objects import reference


class MoneyCalls(CheckoutCalls):
    def invoice(self, invoice: str) -> objects.Invoice:
        """Return an invoice, with what paid it."""
        params: Any = {"expand": ["payments"]}
        return readers.read_invoice(self.ask(lambda: self.v1.invoices.retrieve(invoice, params)))

    def invoices_of(self, subscription: str) -> list[objects.Invoice]:
        """Return all invoices of a subscription, oldest first, with what paid them."""
        params: Any = {"subscription": subscription, "limit": PAGE_ROWS, "expand": ["data.payments"]}
        return [readers.read_invoice(each) for each in reversed(self.rows(self.v1.invoices.list, params))]

    def payment_intent(self, intent: str) -> objects.PaymentIntent:
        """Return a payment."""
        return readers.read_intent(self.ask(lambda: self.v1.payment_intents.retrieve(intent)))

    def invoice_of(self, intent: str) -> str:
        """Return the invoice that a payment was for, "" for none. Neither payment nor charge tells it any more."""
        params: Any = {"payment": {"type": "payment_intent", "payment_intent": intent}, "limit": PAGE_ROWS}
        found = self.rows(self.v1.invoice_payments.list, params)
        return reference(found[0]["invoice"]) if found else ""

    def charge(self, charge: str) -> objects.Charge:
        """Return a charge: one try to collect a payment."""
        return readers.read_charge(self.ask(lambda: self.v1.charges.retrieve(charge)))

    def dispute(self, dispute: str) -> objects.Dispute:
        """Return a dispute."""
        return readers.read_dispute(self.ask(lambda: self.v1.disputes.retrieve(dispute)))

    def disputes_of(self, charge: str) -> list[objects.Dispute]:
        """Return all disputes of a charge, newest first."""
        params: Any = {"charge": charge, "limit": PAGE_ROWS}
        return [readers.read_dispute(each) for each in self.rows(self.v1.disputes.list, params)]

    def refund(
        self, payment: str, *, amount: int | None, idempotency_key: str, metadata: Metadata | None = None
    ) -> objects.Refund:
        """Give back an amount of a charge (ch_…) or payment (pi_…), or with None all that is left.

        Raises StripeRefused, with the reason charge_already_refunded or charge_disputed where it is that.
        """
        name = "payment_intent" if payment.startswith("pi_") else "charge"
        params: Any = {name: payment, "metadata": dict(metadata or {})}
        if amount is not None:
            params["amount"] = amount
        made = self.ask(lambda: self.v1.refunds.create(params, once(idempotency_key)))
        return readers.read_refund(made, livemode=self.livemode)

    def refund_by_id(self, refund: str) -> objects.Refund:
        """Return a refund."""
        found = self.ask(lambda: self.v1.refunds.retrieve(refund))
        return readers.read_refund(found, livemode=self.livemode)

    def refunds_of(self, charge: str) -> list[objects.Refund]:
        """Return all refunds of a charge, newest first."""
        params: Any = {"charge": charge, "limit": PAGE_ROWS}
        found = self.rows(self.v1.refunds.list, params)
        return [readers.read_refund(each, livemode=self.livemode) for each in found]

    def charge_off_session(
        self,
        *,
        customer: str,
        amount: int,
        currency: str,
        idempotency_key: str,
        metadata: Metadata,
        payment_method: str = "",
    ) -> objects.PaymentIntent:
        """Charge a saved card while the customer is away: the one named, or their default, or the newest.

        A repetition should name the card of the first try: with another one, the same key is another request.
        Raises CardDeclined, AuthenticationRequired, NoSavedCard.
        """
        card = payment_method or self.card_to_charge(customer)
        params: Any = {"customer": customer, "amount": amount, "currency": currency, "payment_method": card}
        params |= {"confirm": True, "off_session": True, "metadata": dict(metadata)}
        made = self.ask(lambda: self.v1.payment_intents.create(params, once(idempotency_key)))
        return readers.read_intent(made)

    def card_to_charge(self, customer: str) -> str:
        """Return the card that invoices are charged to, or else the newest. Raises NoSavedCard."""
        found = self.customer(customer).default_payment_method
        if found:
            return found
        cards = self.cards_of(customer)
        if not cards:
            raise refusals.NoSavedCard("The customer has saved no card.", reason="no_saved_card")
        return cards[0].id
