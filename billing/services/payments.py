"""Payments as the provider tells them: what came in is credited once, what went back is clawed back.

Everything that happens to a payment (paid, refunded, disputed, won, lost) is told here by the same figures, looked up
anew each time. So it does not matter which event said so, in which order, or how often.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from billing import refusals
from billing.models import Checkout, CheckoutStatus, Dispute, Payment, Refund
from billing.providers import stripe
from billing.providers import stripe_objects as told
from billing.services.brakes import stop_auto_topup
from billing.services.checkouts import set_status
from billing.services.claims import claim, why_back
from billing.services.customers import account_of_customer
from credits import refusals as ledger
from credits.amounts import say_money
from credits.models import GrantCategory
from credits.plan import SYSTEM, LotTerms, Memo, Movement
from credits.services import clock
from credits.services.movements import add_credits

log = logging.getLogger(__name__)

REFERENCE = "payment"
GONE = {"failed", "canceled"}
UNDECIDED = {"needs_response", "under_review"}


@dataclass(frozen=True, slots=True)
class Facts:
    """A payment with all that became of it."""

    intent: told.PaymentIntent
    charge: told.Charge | None
    refunds: tuple[told.Refund, ...]
    disputes: tuple[told.Dispute, ...]

    @property
    def refunded(self) -> int:
        """What went back, or is on its way."""
        total = sum(each.amount for each in self.refunds if each.status not in GONE)
        return min(total, self.intent.amount)

    @property
    def lost(self) -> int:
        """What disputes have taken for good, beyond what was refunded."""
        total = sum(each.amount for each in self.disputes if each.status == "lost")
        return min(total, self.intent.amount - self.refunded)

    @property
    def under_dispute(self) -> bool:
        """Whether the bank has yet to decide. An inquiry has taken no money, and may never."""
        return any(each.status in UNDECIDED for each in self.disputes)


def look_up_payment(intent: str) -> Facts:
    """Ask the provider for a payment and all that became of it. Raises StripeFailure."""
    client = stripe.client()
    found = client.payment_intent(intent)
    if not found.latest_charge:
        return Facts(found, None, (), ())
    charge = client.charge(found.latest_charge)
    refunds = client.refunds_of(charge.id)
    return Facts(found, charge, tuple(refunds), tuple(client.disputes_of(charge.id)))


def record_payment(facts: Facts) -> Payment:
    """Keep what is so of a payment, credit what it paid for, and claw back what of it is gone.

    Called in a transaction. Raises ParentUnknown where its invoice is not here yet, NotOurs where nobody here asked for
    it, and what the ledger raises. What came in and cannot be credited is kept with the reason, to be given back.
    """
    intent = facts.intent
    payment = Payment.objects.select_for_update(no_key=True).filter(provider_id=intent.id).first()
    if payment is None:
        payment = _begun(intent)
    back = _goes_back(payment, facts)
    _describe(payment, facts)
    if payment.checkout is not None:
        _note_on(payment.checkout, intent)
        if intent.status == "succeeded" and payment.movement is None:
            _credit(payment, payment.checkout, intent)
    _keep_records(payment, facts)
    payment.save()
    claim(payment)
    if back and payment.movement_id is not None:
        stop_auto_topup(payment.account_id, why_back(payment))
    return payment


def _goes_back(payment: Payment, facts: Facts) -> bool:
    """Tell whether more of a payment is gone, or in question, than when it was last told of."""
    more = facts.refunded + facts.lost > payment.refunded_minor + payment.disputed_minor
    return more or (facts.under_dispute and not payment.under_dispute)


def _begun(intent: told.PaymentIntent) -> Payment:
    """Return the row of a payment that was not known before. What pays an invoice is begun by that."""
    named = intent.metadata.get("checkout")
    checkout = Checkout.objects.select_for_update(no_key=True).filter(pk=named).first() if named else None
    if checkout is None:
        if account_of_customer(intent.customer, livemode=intent.livemode) is None:
            raise refusals.NotOurs("Nobody here asked for this payment.")
        raise refusals.ParentUnknown("It waits for its invoice.")
    if checkout.livemode != intent.livemode:
        raise refusals.NotOurs("It is of the other mode.")
    return Payment(account_id=checkout.account_id, checkout=checkout, provider_id=intent.id, livemode=intent.livemode)


def _describe(payment: Payment, facts: Facts) -> None:
    intent, charge = facts.intent, facts.charge
    payment.amount_minor, payment.currency = intent.amount, intent.currency.upper()
    payment.status, payment.occurred_at = intent.status, intent.created
    payment.failure = intent.decline_code or intent.error
    payment.charge_reference = intent.latest_charge
    payment.receipt_url = charge.receipt_url if charge else ""
    payment.refunded_minor, payment.disputed_minor = facts.refunded, facts.lost
    payment.under_dispute = facts.under_dispute
    payment.updated_at = timezone.now()
    payment.save()


def _note_on(checkout: Checkout, intent: told.PaymentIntent) -> None:
    if intent.status == "succeeded":
        set_status(checkout, CheckoutStatus.PAID)
    elif intent.status == "processing":
        set_status(checkout, CheckoutStatus.PENDING)
    elif intent.status == "canceled" or (checkout.status == CheckoutStatus.PENDING and intent.error):
        set_status(checkout, CheckoutStatus.FAILED)


def _credit(payment: Payment, checkout: Checkout, intent: told.PaymentIntent) -> None:
    """Bring in what was paid for, on the terms of the checkout. The payment's reference credits once for ever."""
    if (intent.amount_received, intent.currency.upper()) != (checkout.amount_minor, checkout.currency):
        paid = say_money(intent.amount_received, intent.currency.upper())
        asked = say_money(checkout.amount_minor, checkout.currency)
        refuse_credits(payment, f"{paid} were paid, {asked} were asked for.")
        return
    try:
        movement = _brought(checkout, intent)
    except (ledger.AccountClosed, ledger.BalanceLimit, ledger.ReferenceConflict) as refused:
        refuse_credits(payment, refused.detail)
        return
    payment.movement_id, payment.uncredited = movement.id, ""


def _brought(checkout: Checkout, intent: told.PaymentIntent) -> Movement:
    days = checkout.expires_after_days
    movement: Movement = add_credits(
        account=checkout.account_id,
        amount=checkout.credits,
        memo=Memo(
            SYSTEM,
            description=f"Pack {checkout.pack}",
            reference_type=REFERENCE,
            reference_id=intent.id,
            metadata={"checkout": str(checkout.pk)},
        ),
        terms=LotTerms(
            GrantCategory.PAID,
            expires_at=None if days is None else clock.now() + timedelta(days=days),
            paid_currency=checkout.currency,
            paid_minor=intent.amount_received,
        ),
    )
    return movement


def refuse_credits(payment: Payment, why: str) -> None:
    """Note on a payment why it brings nothing though it came in. It waits for staff to give it back."""
    if payment.uncredited != why:
        log.error("Payment %s came in and brings nothing: %s", payment.provider_id, why)
    payment.uncredited = why[:255]


def _keep_records(payment: Payment, facts: Facts) -> None:
    now = timezone.now()
    for refund in facts.refunds:
        Refund.objects.update_or_create(
            provider_id=refund.id,
            create_defaults={"payment": payment, "livemode": payment.livemode, **_record(refund, now)},
            defaults=_record(refund, now),
        )
    for dispute in facts.disputes:
        Dispute.objects.update_or_create(
            provider_id=dispute.id,
            create_defaults={"payment": payment, "livemode": payment.livemode, **_record(dispute, now)},
            defaults=_record(dispute, now),
        )


def _record(each: told.Refund | told.Dispute, now: datetime) -> dict[str, object]:
    return {
        "amount_minor": each.amount,
        "currency": each.currency.upper(),
        "status": each.status,
        "reason": each.reason,
        "occurred_at": each.created,
        "updated_at": now,
    }
