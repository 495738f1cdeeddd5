"""The nouns of money from outside.

A Customer is what the provider knows an account as. A Pack is credits that can be bought; a PlanPrice says which of
the provider's prices pays for which version of a plan. A Checkout is one visit to the provider's page, with the terms
it was opened on. A Payment is money that came in, an Invoice what a period of a subscription cost, a Refund or Dispute
how money went back: light records, for support and for the figure to be clawed back. A PaymentCredit is a movement
that a payment brought. A RefundOrder is a refund that
was asked for here, an AutoTopUp what an account buys by itself when it runs low. A ProviderEvent is a webhook.
A Difference is what the provider has otherwise than we do, a StraySubscription one there that
nothing here follows. A RelayLane is how far events were published on NATS, a
PublishedTotal how many, a DeadLetter a message from there that could not be applied.

What others are told: a WebhookEndpoint is where events are sent, signed with a WebhookSecret; a WebhookDelivery is one
event on its way there, a WebhookAttempt one try. A Notice is a letter to an account's owner, a NoticeAddress where
those go, unless it wants none. An OutboxMark is how far a reader has come with the events.

The one invariant: a payment that came in has brought the credits that it paid for, once, or says why it could not; and
of these so many are clawed back as refunds and lost disputes say. ``billing.checks`` states it; the audit of the books
asks.

Only ``billing.services`` writes here. Rows tell what the provider said last, in one mode: live and test never mix.
"""

from billing.models.catalogue import Pack, PlanPrice
from billing.models.checkouts import Checkout, CheckoutKind, CheckoutStatus
from billing.models.customers import Customer
from billing.models.differences import Difference, DifferenceKind
from billing.models.endpoints import (
    DeliveryStatus,
    EndpointStatus,
    OutboxMark,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookSecret,
)
from billing.models.events import EventState, ProviderEvent
from billing.models.notices import Notice, NoticeAddress, NoticeKind, NoticeStatus
from billing.models.payments import Dispute, Invoice, Payment, PaymentCredit, Refund
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
    "DeliveryStatus",
    "Difference",
    "DifferenceKind",
    "Dispute",
    "EndpointStatus",
    "EventState",
    "Invoice",
    "LetterState",
    "Notice",
    "NoticeAddress",
    "NoticeKind",
    "NoticeStatus",
    "OutboxMark",
    "Pack",
    "Payment",
    "PaymentCredit",
    "PlanPrice",
    "ProviderEvent",
    "PublishedTotal",
    "Refund",
    "RefundOrder",
    "RefundStatus",
    "RelayLane",
    "StraySubscription",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookSecret",
]
