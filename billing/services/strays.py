"""Ends at the provider's what must not go on there: subscriptions that nothing here follows, pages of closed accounts.

Each is a row before the provider is asked, and asked about anew first: what became the account's own meanwhile stays.
"""

from __future__ import annotations

import logging

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from billing import refusals
from billing.models import Checkout, CheckoutStatus, StraySubscription
from billing.models.strays import StrayState
from billing.providers import stripe
from billing.services import tiers
from billing.services.checkouts import close_page, update_checkout
from billing.services.customers import PROVIDER
from billing.services.straying import CLOSED
from credits.models import AccountStatus
from credits.refusals import Refusal
from credits.services.runs import Done, said
from subscriptions.models import Subscription

log = logging.getLogger(__name__)

Obstacle = (Refusal, refusals.NotOurs, refusals.ParentUnknown)


def end_strays() -> Done:
    """End what strays, also the subscriptions of accounts that were closed. Returns how many are settled now."""
    if not settings.STRIPE_SECRET_KEY:
        return Done(0, "No payment provider is configured.")
    _note_closed()
    done = 0
    for row in StraySubscription.objects.filter(state=StrayState.OPEN, livemode=stripe.client().livemode):
        try:
            end_stray(row)
            done += 1
        except Obstacle as obstacle:
            log.warning("Subscription %s is not ended at the provider's: %s", row.provider_id, obstacle)
            StraySubscription.objects.filter(pk=row.pk).update(failure=said(obstacle)[:255])
    return Done(done)


def end_stray(row: StraySubscription) -> None:
    """End a subscription at the provider's, unless it is over there or became the account's own.

    Raises NotOurs, ParentUnknown, StripeFailure.
    """
    _look_again(row)
    if row.state == StrayState.OPEN:
        log.warning("Subscription %s is ended at the provider's: %s", row.provider_id, row.reason)
        stripe.client().cancel_subscription(row.provider_id, at_period_end=False, idempotency_key=f"stray-{row.pk}")
        _look_again(row)


def close_pages() -> Done:
    """Let nobody pay any more on pages that accounts had open when they were closed. Returns how many were."""
    if not settings.STRIPE_SECRET_KEY:
        return Done(0, "No payment provider is configured.")
    open_ones = Checkout.objects.filter(
        status=CheckoutStatus.OPEN, automatic=False, livemode=stripe.client().livemode,
        account__status=AccountStatus.CLOSED,
    ).exclude(provider_id="")  # fmt: skip
    done = 0
    for page in open_ones.values_list("provider_id", flat=True):
        try:
            told = close_page(page)
        except Refusal as refusal:
            log.warning("Page %s of a closed account is still open: %s", page, refusal.detail)
            continue
        with transaction.atomic():
            update_checkout(told)
        done += 1
    return Done(done)


def _note_closed() -> None:
    """Write down the subscriptions of closed accounts that nobody has looked at since."""
    known = StraySubscription.objects.values("provider_id")
    left = Subscription.objects.filter(provider=PROVIDER, account__status=AccountStatus.CLOSED)
    left = left.exclude(provider_reference="").exclude(provider_reference__in=known)
    now, livemode = timezone.now(), stripe.client().livemode
    StraySubscription.objects.bulk_create(
        (
            StraySubscription(
                provider_id=each.provider_reference, account_id=each.account_id, livemode=livemode, reason=CLOSED,
                found_at=now,
            )
            for each in left
        ),
        ignore_conflicts=True,
    )  # fmt: skip


def _look_again(row: StraySubscription) -> None:
    facts = tiers.look_up_subscription(row.provider_id)
    with transaction.atomic():
        tiers.record_subscription(facts)
    row.refresh_from_db()
