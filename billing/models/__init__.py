"""The nouns of money from outside.

A Customer is what the provider knows an account as. A Pack is credits that can be bought; a PlanPrice says which of
the provider's prices pays for which version of a plan. A Checkout is one visit to the provider's page, with the terms
it was opened on. A Payment is money that came in, an Invoice what a period of a subscription cost, a Refund or Dispute
how money went back: light records, for support and for the figure to be clawed back. A RefundOrder is a refund that
was asked for here, an AutoTopUp what an account buys by itself when it runs low. A ProviderEvent is a webhook.
A Difference is what the provider has otherwise than we do, a StraySubscription one there that
nothing here follows. A RelayLane is how far events were published on NATS, a
PublishedTotal how many, a DeadLetter a message from there that could not be applied.

The one invariant: a payment that came in has brought the credits that it paid for, once, or says why it could not; and
of these so many are clawed back as refunds and lost disputes say. ``billing.checks`` states it; the audit of the books
asks.

Only ``billing.services`` writes here. Rows tell what the provider said last, in one mode: live and test never mix.
"""

from billing.models.catalogue import Pack, PlanPrice
from billing.models.checkouts import Checkout, CheckoutKind, CheckoutStatus
from billing.models.customers import Customer
from billing.models.differences import Difference, DifferenceKind
from billing.models.events import EventState, ProviderEvent
from billing.models.payments import Dispute, Invoice, Payment, Refund
from billing.models.refunds import RefundOrder, RefundStatus
from billing.models.relay import DeadLetter, LetterState, PublishedTotal, RelayLane
from billing.models.strays import StraySubscription
from billing.models.topups import AutoTopUp

__all__ = [
    "AutoTopUp",
    "Checkout",
    "CheckoutKind",
    "CheckoutStatus",
    "Customer",
    "DeadLetter",
    "Difference",
    "DifferenceKind",
    "Dispute",
    "EventState",
    "Invoice",
    "LetterState",
    "Pack",
    "Payment",
    "PlanPrice",
    "ProviderEvent",
    "PublishedTotal",
    "Refund",
    "RefundOrder",
    "RefundStatus",
    "RelayLane",
    "StraySubscription",
]
