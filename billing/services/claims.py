"""What of the credits that a payment brought is to be gone, for refunds and lost disputes, or frozen while undecided.

A pack's payment brought one movement. That of a plan brings the credits of each month that it pays for, when the month
begins, or after a change of plan those for the rest of one: what is to be gone is worked out anew whenever more comes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from decimal import ROUND_FLOOR, Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from billing.models import Invoice, Payment, PaymentCredit
from billing.services.customers import PROVIDER
from credits import refusals as ledger
from credits import units
from credits.amounts import say_money
from credits.models import Allotment, Grant, Transaction
from credits.plan import SYSTEM, Memo
from credits.plan.windows import boundary
from credits.services.clawback import take_back
from credits.services.runs import Done
from subscriptions.models import Subscription
from subscriptions.periods import number_at
from subscriptions.services.rows import lock_settled
from subscriptions.services.writing import INVOICE

log = logging.getLogger(__name__)


def claim(payment: Payment) -> None:
    """Let of what a payment brought be gone what of the money is gone; the rest is frozen while that is undecided.

    Called in a transaction that holds the payment, whose ``movement`` and ``claimed`` are saved. Again does nothing.
    """
    brought = note_brought(payment)
    gone, paid = _money(payment)
    memo = Memo(SYSTEM, description=why_back(payment), metadata={"payment": payment.provider_id})
    for credit in brought:
        claimed = _part(credit.movement, gone, paid)
        if claimed != credit.claimed:
            credit.claimed = claimed
            credit.save(update_fields=["claimed"])
        _take_back(payment, credit, memo)
    payment.claimed = sum((each.claimed for each in brought), Decimal(0))
    payment.save(update_fields=["claimed", "movement"])


def claim_again() -> Done:
    """Claim what came since of payments that went back or are disputed. Returns of how many there was something.

    A month of the plan that one pays for has begun, or a use of what is frozen was refunded.
    """
    done = 0
    for pk in _with_more().values_list("pk", flat=True):
        with transaction.atomic():
            payment = Payment.objects.select_for_update(no_key=True).get(pk=pk)
            before = _standing(payment)
            claim(payment)
            done += _standing(payment) != before
    return Done(done)


def freeze_freed(accounts: list[UUID]) -> None:
    """Freeze what has just come free of disputed lots of accounts, before their lock is let go."""
    disputed = list(Payment.objects.filter(account_id__in=accounts, under_dispute=True).values_list("pk", flat=True))
    # Asked by itself, by an index: hardly ever is there one, and the planner would begin with the movements instead.
    if not disputed:
        return
    for credit in _free_of_disputed().filter(payment__in=disputed).select_related("payment"):
        memo = Memo(SYSTEM, description="Came free under dispute", metadata={"payment": credit.payment.provider_id})
        take_back(bought=credit.movement_id, total=credit.claimed, frozen=True, memo=memo)


def to_be_gone(payment: Payment, minor: int) -> Decimal:
    """Return how many of the credits that a payment has brought are to be gone where so much of its money is."""
    gone, paid = _money(payment)
    others = gone - payment.refunded_minor - payment.disputed_minor
    movements = Transaction.objects.filter(pk__in=_brought_ids(payment))
    return sum((_part(each, minor + others, paid) for each in movements), Decimal(0))


def note_brought(payment: Payment) -> list[PaymentCredit]:
    """Keep which movements a payment has brought by now, and return them, the oldest first. Part of a transaction."""
    if payment.invoice_id:
        # A month that has begun may wait for the next touch of the account.
        lock_settled(payment.account_id, once=None, at=None)
    of_all = Q(payment__invoice=payment.invoice_id) if payment.invoice_id else Q(payment=payment)
    known = PaymentCredit.objects.filter(of_all)
    fresh = set(_brought_ids(payment)) - set(known.values_list("movement_id", flat=True))
    made = Transaction.objects.filter(pk__in=fresh).order_by("sequence")
    PaymentCredit.objects.bulk_create([PaymentCredit(payment=payment, movement=each) for each in made])
    rows = list(known.select_related("movement__account").order_by("movement__sequence"))
    if payment.movement_id is None and rows:
        payment.movement = rows[0].movement
    return rows


def movements_of_invoice(invoice: Invoice) -> list[Transaction]:
    """Return the movements that brought the credits an invoice paid for, as far as they have come, oldest first."""
    row = Subscription.objects.filter(provider=PROVIDER, provider_reference=invoice.subscription_reference).first()
    if row is None:
        return []
    moved = Transaction.objects.filter(account_id=row.account_id, reference_type="allotment")
    months = Q(reference_id__in=list(_months(invoice, row)))
    return list(moved.filter(months | Q(metadata__contains={INVOICE: invoice.provider_id})).order_by("sequence"))


def _brought_ids(payment: Payment) -> list[UUID]:
    if payment.invoice is not None:
        return [each.pk for each in movements_of_invoice(payment.invoice)]
    return [payment.movement_id] if payment.movement_id else []


def _months(invoice: Invoice, row: Subscription) -> Iterator[str]:
    """Return the references of the months that an invoice pays for: up to the next one that was paid."""
    starts, ends = invoice.period_starts_at, invoice.period_ends_at
    if starts is None or ends is None:
        return
    later = Invoice.objects.filter(
        subscription_reference=invoice.subscription_reference, status="paid", period_starts_at__gt=starts
    )
    following = later.order_by("period_starts_at").values_list("period_starts_at", flat=True).first()
    until = min(ends, following or ends)
    for order in Allotment.objects.filter(account_id=row.account_id, source=f"subscription:{row.pk}"):
        zone = ZoneInfo(order.time_zone)
        number = max(number_at(order.anchor, starts, zone), order.first_period)
        while (begins := boundary(order.anchor, number, zone)) < until:
            if begins >= starts:
                yield f"{order.pk}:{number}"
            number += 1


def _money(payment: Payment) -> tuple[int, int]:
    """Return how much is gone of the money that a payment's credits came for, and of how much: all of an invoice's."""
    if payment.invoice_id is None:
        return payment.refunded_minor + payment.disputed_minor, payment.amount_minor
    others = Payment.objects.filter(invoice=payment.invoice_id).exclude(pk=payment.pk).exclude(charge_reference="")
    sums = others.aggregate(gone=Sum(F("refunded_minor") + F("disputed_minor")), paid=Sum("amount_minor"))
    gone = payment.refunded_minor + payment.disputed_minor + (sums["gone"] or 0)
    return gone, payment.amount_minor + (sums["paid"] or 0)


def _part(movement: Transaction, gone: int, paid: int) -> Decimal:
    """Return how much of a movement is to be gone: in proportion, rounded down to the unit's step."""
    brought: Decimal = movement.amount
    if gone >= paid:
        return brought
    step = Decimal(1).scaleb(-units.decimal_places(movement.account.unit_id))
    return (brought * gone / paid / step).to_integral_value(ROUND_FLOOR) * step


def _take_back(payment: Payment, credit: PaymentCredit, memo: Memo) -> None:
    try:
        take_back(bought=credit.movement_id, total=credit.claimed, frozen=payment.under_dispute, memo=memo)
    except ledger.AccountClosed:
        log.exception("Payment %s went back, but its account is closed: nothing is taken back", payment.provider_id)


def _with_more() -> QuerySet[Payment]:
    """Return the payments of which something may have come that is to be gone, or frozen."""
    running = Q(invoice__period_ends_at__gt=timezone.now())
    back = Q(refunded_minor__gt=0) | Q(disputed_minor__gt=0) | Q(under_dispute=True) | Q(movement=None)
    return Payment.objects.filter(Exists(_free_of_disputed().filter(payment=OuterRef("pk"))) | running & back).order_by(
        "pk"
    )


def _free_of_disputed() -> QuerySet[PaymentCredit]:
    """Return the credits under dispute of whose lots something is free."""
    lots = Grant.objects.filter(
        account=OuterRef("movement__account"), opening_sequence=OuterRef("movement__sequence"), remaining__gt=F("held")
    )
    return PaymentCredit.objects.filter(Exists(lots), payment__under_dispute=True).order_by("pk")


def _standing(payment: Payment) -> tuple[object, ...]:
    """Return what tells whether a claim changed anything: what is claimed, and the account's movements and holds."""
    account = payment.account
    account.refresh_from_db(fields=["version"])
    return payment.claimed, account.version


def why_back(payment: Payment) -> str:
    """Return in words why credits are taken back, given back or frozen."""
    paid = say_money(payment.amount_minor, payment.currency)
    parts = []
    if payment.refunded_minor:
        parts.append(f"{say_money(payment.refunded_minor, payment.currency)} of {paid} refunded")
    if payment.disputed_minor:
        parts.append(f"{say_money(payment.disputed_minor, payment.currency)} of {paid} lost in a dispute")
    if payment.under_dispute:
        parts.append(f"payment of {paid} under dispute")
    return ", ".join(parts) or f"Payment of {paid} stands again"
