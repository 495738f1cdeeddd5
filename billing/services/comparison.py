"""What the provider has and what we have, side by side, both ways. Nothing here writes.

Money is compared by the movements of the provider's balance: each charge, refund and dispute of ours is one, and each
of them is one of ours. Subscriptions are compared field by field, as ``follow_provider`` would have written them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from billing import refusals
from billing.models import Dispute, Payment, ProviderEvent, Refund
from billing.models.differences import DifferenceKind
from billing.providers import stripe
from billing.providers import stripe_objects as told
from billing.services import tiers
from billing.services.customers import PROVIDER, account_of_customer
from subscriptions.following import Told
from subscriptions.models import Status, Subscription

MISSING = "missing"
THERE = "there"
CHARGES, REFUNDS, DISPUTES = {"charge", "payment"}, {"refund", "payment_refund"}, {"adjustment"}
# Which payments, refunds and disputes have moved the balance.
MOVED = {"succeeded"}
WITHDRAWN = {"needs_response", "under_review", "won", "lost"}


@dataclass(frozen=True, slots=True)
class Found:
    """One difference. ``about`` is the payment, subscription or event by which it is repaired."""

    kind: DifferenceKind
    subject: str
    about: str
    field: str
    ours: str
    theirs: str


def compare(*, since: datetime) -> list[Found]:
    """Ask the provider, and return every difference. Must not be called in a transaction. Raises StripeFailure."""
    client = stripe.client()
    moves = client.balance_transactions_since(since)
    return [*_money(moves, since, livemode=client.livemode), *_subscriptions(client.subscriptions())]


def compare_one(kind: DifferenceKind, about: str) -> list[Found]:
    """Return the differences of one payment or subscription. Raises StripeFailure."""
    client = stripe.client()
    if kind == DifferenceKind.SUBSCRIPTION:
        row = Subscription.objects.filter(provider=PROVIDER, provider_reference=about).first()
        return list(_subscription(client.subscription(about), row))
    if kind == DifferenceKind.EVENT:
        return _event(about)
    intent = client.payment_intent(about)
    payment = Payment.objects.filter(provider_id=about).first()
    if not intent.latest_charge:
        return []
    charge = client.charge(intent.latest_charge)
    refunds, disputes = client.refunds_of(charge.id), client.disputes_of(charge.id)
    return [
        *_figures(DifferenceKind.PAYMENT, charge.id, about, payment, (intent.amount_received, intent.currency)),
        *(
            difference
            for refund in refunds
            if refund.status in MOVED
            for difference in _refund(refund.id, about, refund.amount, refund.currency)
        ),
        *(
            difference
            for dispute in disputes
            if dispute.status in WITHDRAWN
            for difference in _dispute(dispute.id, about, dispute.amount, dispute.currency)
        ),
    ]


def unreadable(event: told.Unreadable) -> Found:
    """Return what there is to say of an event that cannot be taken in."""
    return Found(DifferenceKind.EVENT, event.id, event.id, "event", MISSING, event.why[:255])


def _event(about: str) -> list[Found]:
    """Return whether an event is still missing here. The provider forgets its events, and then it is nothing."""
    if ProviderEvent.objects.filter(event_id=about).exists():
        return []
    try:
        stripe.client().event(about)
    except refusals.NoEvent as refusal:
        return [unreadable(told.Unreadable(about, refusal.detail))]
    except refusals.StripeNotFound:
        return []
    return [Found(DifferenceKind.EVENT, about, about, "event", MISSING, THERE)]


def _money(moves: list[told.BalanceTransaction], since: datetime, *, livemode: bool) -> Iterator[Found]:
    ours = _Ours()
    charges = {move.source: move for move in moves if move.type in CHARGES}
    refunds = {move.source: move for move in moves if move.type in REFUNDS}
    # A dispute that was won has moved the balance twice; the first time took the money.
    disputes = {move.source: move for move in reversed(moves) if move.type in DISPUTES and move.amount < 0}
    for charge, move in charges.items():
        if about := ours.payment_of(charge):
            payment = Payment.objects.filter(provider_id=about).first()
            yield from _figures(DifferenceKind.PAYMENT, charge, about, payment, (move.amount, move.currency))
    for refund, move in refunds.items():
        if about := ours.payment_of_refund(refund):
            yield from _refund(refund, about, -move.amount, move.currency)
    for dispute, move in disputes.items():
        if about := ours.payment_of_dispute(dispute):
            yield from _dispute(dispute, about, -move.amount, move.currency)
    yield from _missing_there(since, charges.keys() | refunds.keys() | disputes.keys(), livemode=livemode)


def _missing_there(since: datetime, moved: Iterable[str], *, livemode: bool) -> Iterator[Found]:
    known = set(moved)
    recent = {"occurred_at__gte": since, "livemode": livemode}
    for payment in Payment.objects.filter(status__in=MOVED, **recent).exclude(charge_reference=""):
        if payment.charge_reference not in known:
            yield _absent(DifferenceKind.PAYMENT, payment.charge_reference, payment.provider_id)
    for refund in Refund.objects.filter(status__in=MOVED, **recent).select_related("payment"):
        if refund.provider_id not in known:
            yield _absent(DifferenceKind.REFUND, refund.provider_id, refund.payment.provider_id)
    for dispute in Dispute.objects.filter(status__in=WITHDRAWN, **recent).select_related("payment"):
        if dispute.provider_id not in known:
            yield _absent(DifferenceKind.DISPUTE, dispute.provider_id, dispute.payment.provider_id)


def _absent(kind: DifferenceKind, subject: str, about: str) -> Found:
    return Found(kind, subject, about, "movement", THERE, MISSING)


def _figures(
    kind: DifferenceKind,
    subject: str,
    about: str,
    row: Payment | Refund | Dispute | None,
    theirs: tuple[int, str],
) -> Iterator[Found]:
    amount, currency = theirs[0], theirs[1].upper()
    if row is None:
        yield Found(kind, subject, about, "record", MISSING, f"{amount} {currency}")
        return
    # What was paid in another currency moves the balance in the account's own: that it did is all that can be said.
    if row.currency == currency and row.amount_minor != amount:
        yield Found(kind, subject, about, "amount", f"{row.amount_minor} {row.currency}", f"{amount} {currency}")
    if isinstance(row, Payment) and row.status not in MOVED:
        yield Found(kind, subject, about, "status", row.status, "succeeded")
    if isinstance(row, Payment) and row.checkout_id and row.movement_id is None and not row.uncredited:
        yield Found(kind, subject, about, "credits", MISSING, "paid for")


def _refund(refund: str, about: str, amount: int, currency: str) -> Iterator[Found]:
    row = Refund.objects.filter(provider_id=refund).first()
    yield from _figures(DifferenceKind.REFUND, refund, about, row, (amount, currency))


def _dispute(dispute: str, about: str, amount: int, currency: str) -> Iterator[Found]:
    row = Dispute.objects.filter(provider_id=dispute).first()
    yield from _figures(DifferenceKind.DISPUTE, dispute, about, row, (amount, currency))


class _Ours:
    """Tells which payment of ours a movement of the balance is about, "" for none. The account may sell other things.

    What we know is answered from our rows; only what we do not is asked for.
    """

    def __init__(self) -> None:
        self.client = stripe.client()

    def payment_of(self, charge: str) -> str:
        known = Payment.objects.filter(charge_reference=charge).values_list("provider_id", flat=True).first()
        if known:
            return known
        found = self.client.charge(charge)
        if not found.payment_intent:
            return ""
        intent = self.client.payment_intent(found.payment_intent)
        if (
            intent.latest_charge != charge
            or account_of_customer(intent.customer, livemode=self.client.livemode) is None
        ):
            return ""
        return intent.id

    def payment_of_refund(self, refund: str) -> str:
        known = Refund.objects.filter(provider_id=refund).values_list("payment__provider_id", flat=True).first()
        return known or self.payment_of(self.client.refund_by_id(refund).charge)

    def payment_of_dispute(self, dispute: str) -> str:
        known = Dispute.objects.filter(provider_id=dispute).values_list("payment__provider_id", flat=True).first()
        return known or self.payment_of(self.client.dispute(dispute).charge)


def _subscriptions(theirs: list[told.Subscription]) -> Iterator[Found]:
    rows = {
        row.provider_reference: row
        for row in Subscription.objects.filter(provider=PROVIDER).select_related("plan_version")
    }
    for subscription in theirs:
        if account_of_customer(subscription.customer, livemode=subscription.livemode) is not None:
            yield from _subscription(subscription, rows.get(subscription.id))
    known = {subscription.id for subscription in theirs}
    for reference, row in rows.items():
        if reference not in known and row.status != Status.CANCELED:
            yield Found(DifferenceKind.SUBSCRIPTION, reference, reference, "subscription", THERE, MISSING)


def _subscription(subscription: told.Subscription, row: Subscription | None) -> Iterator[Found]:
    """Compare one field by field. One that has not begun, or is over on both sides, is no difference."""
    if subscription.status not in tiers.STATUSES:
        return
    over = tiers.STATUSES[subscription.status] == Status.CANCELED
    if row is None:
        if not over:
            yield _of(subscription, "subscription", MISSING, subscription.status)
        return
    if over or row.status == Status.CANCELED:
        if (not over and not _our_word_counts(subscription, row)) or (over and row.status != Status.CANCELED):
            yield _of(subscription, "status", row.status, subscription.status)
        return
    try:
        facts = tiers.told_of(subscription)
    except refusals.ParentUnknown as unknown:
        yield _of(subscription, "plan", str(row.plan_version), str(unknown))
        return
    for field, ours, theirs in _fields(row, facts):
        if ours != theirs:
            yield _of(subscription, field, str(ours), str(theirs))


def _our_word_counts(subscription: told.Subscription, row: Subscription) -> bool:
    """Tell whether ours rightly ended before theirs: its days of grace are over, or its last period is."""
    return subscription.status == "past_due" or subscription.ending


def _fields(row: Subscription, facts: Told) -> Iterator[tuple[str, object, object]]:
    yield "plan", row.plan_version_id, facts.terms.version
    yield "status", row.status, facts.status
    if row.current_period_start <= facts.period_start:
        # Where ours has begun the next period already, theirs will in a moment.
        yield "period", row.current_period_end.isoformat(), facts.period_end.isoformat()
    yield "ends with period", row.cancel_at_period_end, facts.ends_with_period
    if facts.trial_ends_at is not None:
        yield "trial", _said(row.trial_ends_at), _said(facts.trial_ends_at)
    if facts.paid_until is not None and (row.paid_until is None or row.paid_until < facts.paid_until):
        yield "paid until", _said(row.paid_until), _said(facts.paid_until)


def _said(moment: datetime | None) -> str:
    return moment.isoformat() if moment else MISSING


def _of(subscription: told.Subscription, field: str, ours: str, theirs: str) -> Found:
    return Found(DifferenceKind.SUBSCRIPTION, subscription.id, subscription.id, field, ours[:255], theirs[:255])
