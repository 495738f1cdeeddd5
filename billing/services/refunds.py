"""Money given back from our side: asked of the provider once, and followed by the clawback that any refund brings.

The order is a row before the provider hears of it. Whoever takes it up, again or after a crash, first looks whether the
provider has a refund of that name; only then is one asked for, with a key made of the row.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from uuid_utils.compat import uuid7

from billing import refusals
from billing.models import Payment, RefundOrder, RefundStatus
from billing.providers import stripe
from billing.services.payments import GONE, look_up_payment, record_payment
from credits.plan import Actor
from credits.refusals import InvalidField, Refusal
from credits.services.once import Once, keep
from credits.services.runs import Done, said

log = logging.getLogger(__name__)

# How long whoever asked may take before somebody else takes the order up.
PATIENCE = timedelta(minutes=2)
NAMED = "refund_order"


def refund_payment(
    *, once: Once | None, payment: str, amount_minor: int | None, reason: str, actor: Actor
) -> RefundOrder:
    """Give back an amount of a payment, or with None all that is left; its credits are clawed back in proportion.

    ``payment`` is the provider's id. The same request finds its order again. Raises UnknownPayment, NotRefundable,
    InvalidField, StripeFailure; after StripeUnreachable the order stands, and a job finishes it.
    """
    if once is not None:
        once.check(once.find())
    order = _ordered(once, payment, amount_minor, reason, actor)
    finish(order)
    return keep(once=once, act=lambda: RefundOrder.objects.select_related("payment__account").get(pk=order.pk))


def order_refund(*, once: Once, payment: str, amount_minor: int, reason: str, actor: Actor) -> RefundOrder:
    """Write down a refund, once for its key; ``finish`` asks the provider for it when that is committed.

    For whoever has more to write in the same transaction. Raises as refunding does, and Replay for the second time.
    """
    return keep(once=once, act=lambda: _ordered(once, payment, amount_minor, reason, actor))


def lock_payment(*, once: Once, payment: int) -> Payment:
    """Return a payment, locked: nothing else is ordered of it meanwhile. Raises Replay where the key was used."""
    row = Payment.objects.select_for_update(no_key=True).get(pk=payment)
    once.check(once.find())
    return row


def left_to_refund(payment: Payment) -> int:
    """Return how much of a payment can still be given back, in minor units. Raises NotRefundable where nothing can."""
    if payment.status != "succeeded":
        raise refusals.NotRefundable("The payment did not come in.")
    if payment.under_dispute:
        raise refusals.NotRefundable("The payment is under dispute: the bank decides who has the money.")
    if payment.disputed_minor:
        raise refusals.NotRefundable("A dispute has taken the money back already.")
    left = not_given_back(payment)
    if left <= 0:
        raise refusals.NotRefundable("All of it went back already, or is on its way.")
    return left


def not_given_back(payment: Payment) -> int:
    """Return how much of a payment neither went back nor is on its way, in minor units."""
    pending = payment.refund_orders.filter(status=RefundStatus.PENDING).aggregate(sum=Sum("amount_minor"))
    return payment.amount_minor - payment.refunded_minor - (pending["sum"] or 0)


def finish(order: RefundOrder) -> None:
    """Let the provider refund an order, unless it has, and apply that. Raises NotRefundable, StripeFailure."""
    client, payment = stripe.client(), order.payment
    facts = look_up_payment(payment.provider_id)
    there = next((each for each in facts.refunds if each.metadata.get(NAMED) == str(order.pk)), None)
    if there is None:
        try:
            there = client.refund(
                payment.provider_id,
                amount=order.amount_minor,
                idempotency_key=f"refund-{order.pk}",
                metadata={NAMED: str(order.pk)},
            )
        except refusals.StripeRefused as refused:
            _end(order.pk, RefundStatus.REFUSED, failure=refused.reason or refused.detail)
            raise refusals.NotRefundable(f"The payment provider refused: {refused.reason or refused.detail}.") from None
        facts = look_up_payment(payment.provider_id)
    failed = there.status in GONE
    with transaction.atomic():
        record_payment(facts)
        _end(
            order.pk,
            RefundStatus.REFUSED if failed else RefundStatus.DONE,
            provider_id=there.id,
            failure=there.failure_reason if failed else "",
        )


def finish_refunds(*, now: datetime | None = None) -> Done:
    """Take up orders that were left unfinished. Returns how many are finished now."""
    waiting = RefundOrder.objects.filter(
        status=RefundStatus.PENDING, created_at__lt=(now or timezone.now()) - PATIENCE
    ).select_related("payment")
    done = 0
    for order in waiting.order_by("created_at"):
        try:
            finish(order)
            done += 1
        except Refusal as refusal:
            log.warning("Refund %s is not done: %s", order.pk, refusal.detail)
            RefundOrder.objects.filter(pk=order.pk).update(failure=said(refusal)[:255])
    return Done(done)


@transaction.atomic
def _ordered(once: Once | None, payment: str, amount_minor: int | None, reason: str, actor: Actor) -> RefundOrder:
    """Return the order of a request: the one it made before it was cut off, or a new one.

    Raises IdempotencyKeyReused where another request made that of its key.
    """
    key = f"{once.owner}:{once.key}" if once is not None else ""
    row = Payment.objects.select_for_update(no_key=True).filter(provider_id=payment).first()
    if row is None:
        raise refusals.UnknownPayment("There is no such payment.")
    known = RefundOrder.objects.filter(request_key=key).select_related("payment").first() if key else None
    if once is not None and known is not None:
        once.check_same(known.request_fingerprint)
        return known
    left = left_to_refund(row)
    if amount_minor is not None and not 0 < amount_minor <= left:
        raise InvalidField("amount_minor", f"Between 1 and {left} can be given back.")
    now = timezone.now()
    made = RefundOrder(
        id=uuid7(), payment=row, amount_minor=amount_minor or left, reason=reason, request_key=key,
        request_fingerprint=once.fingerprint if once is not None else "",
        actor_kind=actor.kind, actor_id=actor.id, actor_name=actor.name, created_at=now, updated_at=now,
    )  # fmt: skip
    # Under the same key another payment may just have been named, whose lock is not ours.
    RefundOrder.objects.bulk_create([made], ignore_conflicts=True)
    order = RefundOrder.objects.select_related("payment").get(**({"request_key": key} if key else {"pk": made.pk}))
    if once is not None:
        once.check_same(order.request_fingerprint)
    return order


def _end(order: UUID, status: RefundStatus, **what: str) -> None:
    RefundOrder.objects.filter(pk=order).update(status=status, updated_at=timezone.now(), **what)
