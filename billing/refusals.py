"""Every reason for which billing refuses, and what the refused caller is told. None of them moves a credit.

Answers tell nothing of the gateway's address, key or own words; what an operator needs to know is in the log.
"""

from __future__ import annotations

from credits.refusals import Refusal


class UnknownPack(Refusal):
    status, code, title, stored = 404, "pack_not_found", "There is no such pack.", False


class PackNotOffered(Refusal):
    """Nobody can buy it: it is no longer sold, or the provider has no price for it yet."""

    code, title = "pack_not_offered", "The pack is not sold."


class PlanHasNoPrice(Refusal):
    """An operator says which of the provider's prices pays for the plan's version."""

    code, title = "plan_has_no_price", "The plan cannot be paid for."


class CheckoutReplaced(Refusal):
    """Another page was opened for the account while this one was: only the last one can be paid on."""

    code, title, stored = "checkout_replaced", "Another page was opened meanwhile.", False


class PriceDiffers(Refusal):
    """The provider would ask for another amount than we do: nobody sees the page. Compare the catalogues."""

    code, title, stored = "price_differs", "The payment provider has another price.", False


class NoCustomer(Refusal):
    """The account has bought nothing yet, so there is nothing to see at the provider's."""

    status, code, title, stored = 404, "customer_not_found", "The account has bought nothing yet.", False


class UnknownPayment(Refusal):
    status, code, title, stored = 404, "payment_not_found", "There is no such payment.", False


class NoAutoTopUp(Refusal):
    status, code, title, stored = 404, "auto_topup_not_found", "The account has no auto top-up.", False


class NotRefundable(Refusal):
    """Nothing of the payment can be given back: it did not come in, went back already, or is under dispute."""

    status, code, title, stored = 409, "not_refundable", "The payment cannot be refunded.", False


class NotOurs(Exception):
    """What an event tells of is nothing that anybody here asked for: it is kept and ignored."""


class ParentUnknown(Exception):
    """What an event tells of belongs to something that is not here yet: it waits."""


class CostUnknown(Refusal):
    """The gateway knows no cost of the trace: none was logged yet, or all of it was free. Ask again in a moment."""

    status, code, title, stored = 404, "cost_not_found", "There is no cost for this trace.", False


class GatewayFailure(Refusal):
    """The gateway could not tell the cost. Nothing was charged; send the same request again."""

    status, code, title, stored = 502, "gateway_failed", "The AI gateway could not be asked.", False


class GatewayMissing(GatewayFailure):
    """No gateway is configured. An operator sets PORTKEY_URL and what goes with it."""

    code, title = "gateway_missing", "No AI gateway is configured."


class GatewayUnreachable(GatewayFailure):
    """The gateway did not answer in time, or only with errors of its own. Send the same request again later."""

    code, title = "gateway_unreachable", "The AI gateway is unreachable."


class GatewayAvoided(GatewayUnreachable):
    """The gateway failed time and again and is left alone for a while: ``retry_after`` says how many seconds."""


class GatewayRefused(GatewayFailure):
    """The gateway turned the question down: key, workspace or address are wrong. An operator mends the settings."""

    code, title = "gateway_refused", "The AI gateway refused to tell."


class GatewayNonsense(GatewayFailure):
    """The gateway's answer cannot be what the trace cost, and charging less would be a guess. An operator looks."""

    code, title = "gateway_nonsense", "The AI gateway gave no sense."


class StripeFailure(Refusal):
    """Stripe could not be asked, or did not do it. Nothing of ours has changed."""

    status, code, title, stored = 502, "payments_failed", "The payment provider could not be asked.", False


class StripeMissing(StripeFailure):
    """Stripe is not configured. An operator sets STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET."""

    code, title = "payments_missing", "No payment provider is configured."


class StripeUnreachable(StripeFailure):
    """Stripe did not answer in time, or only with errors of its own, so what became of a write is not known.

    Send the same again with the same key: it is done once.
    """

    code, title = "payments_unreachable", "The payment provider is unreachable."


class StripeRefused(StripeFailure):
    """Stripe turned a request down; ``reason`` is its code for why. An operator or a programmer mends it."""

    code, title = "payments_refused", "The payment provider refused."

    def __init__(self, detail: str, *, reason: str = "") -> None:
        super().__init__(detail)
        self.reason = reason


class StripeKeyRefused(StripeFailure):
    """Stripe does not accept our key: it was revoked, or lacks a right. Nothing was done; an operator mends it."""

    code, title = "payments_refused", "The payment provider does not accept our key."


class StripeNotFound(StripeFailure):
    """Stripe knows nothing of that id, at least not in the mode of our key."""

    status, code, title = 404, "payment_object_not_found", "The payment provider knows nothing of that."


class PaymentDeclined(StripeFailure):
    """A card was not charged. ``payment_intent`` is the payment that failed, where there is one."""

    status, code, title, stored = 402, "payment_declined", "The payment was declined.", True

    def __init__(self, detail: str, *, reason: str, decline_code: str = "", payment_intent: str = "") -> None:
        super().__init__(detail)
        self.reason, self.decline_code, self.payment_intent = reason, decline_code, payment_intent


class CardDeclined(PaymentDeclined):
    """The bank said no. ``decline_code`` says why, where it tells: insufficient_funds, lost_card, generic_decline."""

    code, title = "card_declined", "The card was declined."


class AuthenticationRequired(PaymentDeclined):
    """The bank wants to see the customer: the payment can only be made where they are present, at Checkout."""

    code, title = "authentication_required", "The payment needs the customer."


class NoSavedCard(PaymentDeclined):
    """The customer has saved no card that could be charged without them."""

    code, title = "no_saved_card", "There is no saved card."


class BadSignature(Refusal):
    """A webhook that none of our secrets signed. Nothing of it is believed."""

    status, code, title, stored = 400, "bad_signature", "The signature is not valid.", False


class StaleSignature(BadSignature):
    """A webhook that was signed too long ago, or in the future: it may be a recording of an old one."""

    code, title = "stale_signature", "The signature is not of this time."


class UnknownEndpoint(Refusal):
    status, code, title, stored = 404, "webhook_endpoint_not_found", "There is no such webhook endpoint.", False


class UnknownDelivery(Refusal):
    status, code, title, stored = 404, "webhook_delivery_not_found", "There is no such webhook delivery.", False


class TooManySecrets(Refusal):
    """Each rotation leaves a secret that signs for a while; so many at once is an error of the caller's."""

    status, code, title, stored = 409, "too_many_secrets", "Too many secrets sign already.", False


class NoEvent(Refusal):
    """What came as an event cannot be kept or followed. The provider, or a program in between, mends it."""

    status, code, title, stored = 400, "no_event", "That is no event.", False
