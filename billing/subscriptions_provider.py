"""Stripe as a provider of subscriptions: what their app calls where a payment is due, outside of transactions."""

from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import transaction

from billing.models import PlanPrice
from billing.providers import stripe
from billing.refusals import PlanHasNoPrice
from billing.services import checkouts, tiers
from credits.plan import SYSTEM, Owner
from credits.services.accounts import NOTHING, insert_account
from credits.services.locks import lock_accounts
from subscriptions.models import PlanVersion, Subscription


class StripeProvider:
    """Sends who has no subscription yet to a page to pay on; changes others at Stripe, and here as Stripe then says."""

    name = tiers.PROVIDER

    def checkout_url(self, *, owner: Owner, version: PlanVersion) -> str | None:
        """Return where the owner pays, whose account is opened where there is none; None for what costs nothing."""
        if not version.price_minor:
            return None
        with transaction.atomic():
            if not lock_accounts([owner.account], once=None, at=None):
                insert_account(owner, NOTHING, None)
        back = checkouts.Return(settings.CHECKOUT_RETURN_URL, settings.CHECKOUT_RETURN_URL)
        return checkouts.buy_plan(once=None, owner=owner, version=version, back=back, actor=SYSTEM).url

    def change(self, *, subscription: Subscription, version: PlanVersion) -> None:
        """Move a subscription to another plan now; what it costs more for the rest of the period is charged at once.

        Raises CardDeclined and its like, and then nothing has changed.
        """
        price = PlanPrice.objects.filter(plan_version=version).first()
        if price is None:
            raise PlanHasNoPrice(f"{version} cannot be paid for: the provider has no price for it.")
        stripe.client().change_subscription(
            subscription.provider_reference,
            price=price.price_reference,
            proration="always_invoice",
            idempotency_key=f"change-{uuid4()}",
        )
        self._follow(subscription)

    def cancel(self, *, subscription: Subscription, at_period_end: bool) -> None:
        """Let a subscription run out, or end it now."""
        stripe.client().cancel_subscription(
            subscription.provider_reference, at_period_end=at_period_end, idempotency_key=f"cancel-{uuid4()}"
        )
        self._follow(subscription)

    def resume(self, *, subscription: Subscription) -> None:
        """Take a cancellation back."""
        stripe.client().resume_subscription(subscription.provider_reference, idempotency_key=f"resume-{uuid4()}")
        self._follow(subscription)

    def _follow(self, subscription: Subscription) -> None:
        """Apply at once what Stripe's webhooks will say too."""
        facts = tiers.look_up_subscription(subscription.provider_reference)
        with transaction.atomic():
            tiers.record_subscription(facts)
