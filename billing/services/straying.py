"""What is kept of a subscription at the provider's that nothing here follows, and of what was paid for it."""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone

from billing.models import Invoice, Payment, StraySubscription
from billing.models.strays import StrayState
from billing.providers import stripe_objects as told
from credits.models import Account, AccountStatus

CLOSED = "The account is closed."
OVER = {"canceled", "incomplete_expired"}


def why_ended(subscription: str) -> str:
    """Return why a subscription was ended at the provider's from here, if it was: it begins here no more."""
    rows = StraySubscription.objects.filter(provider_id=subscription, state=StrayState.ENDED)
    return rows.values_list("reason", flat=True).first() or ""


def is_closed(account: UUID) -> bool:
    """Tell whether an account is closed."""
    return Account.objects.filter(pk=account, status=AccountStatus.CLOSED).exists()


def note_stray(subscription: told.Subscription, account: UUID, why: str) -> None:
    """Note why nothing here follows a subscription, or with "" that something does; and so of what was paid for it.

    One that is not over is then to be ended at the provider's. Called in a transaction.
    """
    unfollowed = Invoice.objects.filter(subscription_reference=subscription.id, status="paid", followed=False)
    paid = Payment.objects.filter(invoice__subscription_reference=subscription.id, status="succeeded")
    if why:
        paid.filter(invoice__in=unfollowed, movement=None, amount_minor__gt=0).update(uncredited=why)
    else:
        paid.exclude(uncredited="").update(uncredited="")
    now, over = timezone.now(), subscription.status in OVER
    if why and (not over or unfollowed.filter(paid_minor__gt=0).exists()):
        row, _ = StraySubscription.objects.get_or_create(
            provider_id=subscription.id,
            defaults={"account_id": account, "livemode": subscription.livemode, "reason": why, "found_at": now},
        )
        if row.state == StrayState.FOLLOWED:
            row.state, row.ended_at, row.reason = StrayState.OPEN, None, why
            row.save(update_fields=["state", "ended_at", "reason"])
    state = StrayState.ENDED if over else StrayState.FOLLOWED
    if over or not why:
        rows = StraySubscription.objects.filter(provider_id=subscription.id, state=StrayState.OPEN)
        rows.update(state=state, ended_at=now, failure="")
