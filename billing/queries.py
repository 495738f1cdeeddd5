"""Reads that are more than one line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import DecimalField, F, Q, QuerySet, Sum
from django.db.models.expressions import RawSQL

from billing.earned import AHEAD_OF_ROW
from billing.models import EventState, Payment, PaymentCredit, ProviderEvent
from credits.models import AccountStatus, Grant, Hold, HoldStatus, Transaction, TransactionKind
from credits.plan import Movement, Owner
from credits.services.history import movement_of

TRACE = "trace"


def uncredited_payments() -> QuerySet[Payment]:
    """Return the payments that came in, brought nothing, and have not gone back."""
    kept = F("amount_minor") - F("disputed_minor")
    return Payment.objects.exclude(uncredited="").filter(status="succeeded", refunded_minor__lt=kept)


def taken_back(payment: Payment) -> Decimal:
    """Return how many of a payment's credits are gone, or owed. Of a closed account that is what was by then."""
    if payment.account.status != AccountStatus.CLOSED:
        claimed: Decimal = payment.claimed
        return claimed
    brought = PaymentCredit.objects.filter(payment=payment).values("movement")
    taken = Transaction.objects.filter(parent__in=brought, kind=TransactionKind.CLAWBACK)
    gone: Decimal | None = taken.aggregate(gone=Sum(F("debt") - F("amount")))["gone"]
    return gone or Decimal(0)


@dataclass(frozen=True, slots=True)
class Frozen:
    """Of a payment's credits: how many it brought, how many are held frozen, and how many are gone but not back."""

    brought: Decimal
    held: Decimal
    gone: Decimal


def frozen_of(payment: Payment) -> Frozen:
    """Return how the credits of a payment stand while its dispute is undecided."""
    moved = Transaction.objects.filter(pk__in=PaymentCredit.objects.filter(payment=payment).values("movement"))
    brought = list(moved.values_list("pk", "sequence", "amount"))
    lots = Grant.objects.filter(account=payment.account_id, opening_sequence__in=[number for _, number, _ in brought])
    frozen = Hold.objects.filter(account=payment.account_id, freezes__in=lots, status=HoldStatus.OPEN)
    taken = Transaction.objects.filter(parent__in=[pk for pk, *_ in brought])
    back = Q(kind=TransactionKind.CLAWBACK) | Q(kind=TransactionKind.REVERSAL)
    whole, left = sum((amount for *_, amount in brought), Decimal(0)), _sum(lots, "remaining")
    return Frozen(whole, _sum(frozen, "amount"), whole - left + _sum(taken.filter(back), "amount"))


def _sum(rows: QuerySet[Any], field: str) -> Decimal:
    return rows.aggregate(sum=Sum(field))["sum"] or Decimal(0)


def with_ahead(payments: QuerySet[Payment], now: datetime) -> QuerySet[Payment]:
    """Add to payments what of each is for time of a plan that is yet to come: ``ahead_minor``, or None."""
    asked = [now] * AHEAD_OF_ROW.count("%s")
    told = RawSQL(AHEAD_OF_ROW, asked, output_field=DecimalField())  # noqa: S611  # a constant of ours
    return payments.annotate(ahead_minor=told)


def retried_events() -> QuerySet[ProviderEvent]:
    """Return the webhooks that could not be processed yet, and are tried again."""
    return ProviderEvent.objects.filter(state=EventState.RECEIVED, next_try_at__isnull=False).exclude(error="")


def charge_of_trace(owner: Owner, trace_id: str) -> Movement | None:
    """Return the charge that a trace caused on an owner's account, if there is one."""
    charges = (TransactionKind.USAGE, TransactionKind.CAPTURE)
    rows = Transaction.objects.filter(account_id=owner.account, kind__in=charges)
    row = rows.filter(reference_type=TRACE, reference_id=trace_id).first()
    return None if row is None else movement_of(row, owner)
