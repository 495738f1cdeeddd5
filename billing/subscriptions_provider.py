"""Stripe as a provider of subscriptions: what their app calls where a payment is due, outside of transactions."""

from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import transaction

from billing.models import PlanPrice
from billing.providers import stripe
from billing.refusals import PlanHasNoPrice
from billing.services import checkouts, tiers
from billing.services.customers import PROVIDER
from credits.plan import SYSTEM, Owner
from credits.services.accounts import NOTHING, insert_account
from credits.services.locks import lock_accounts
from subscriptions.models import PlanVersion, Subscription
from subscriptions.providers import Cost
from subscriptions.services.writing import Cause


class StripeProvider:
    """Sends who has no subscription yet to a page to pay on; changes others at Stripe, and here as Stripe then says."""

    name = PROVIDER

    def checkout_url(self, *, owner: Owner, version: PlanVersion, trial: bool = False) -> str | None:
        """Return where the owner pays, whose account is opened where there is none; None for what costs nothing."""
        if not version.price_minor:
            return None
        with transaction.atomic():
            if not lock_accounts([owner.account], once=None, at=None):
                insert_account(owner, NOTHING, None)
        back = checkouts.Return(settings.CHECKOUT_RETURN_URL, settings.CHECKOUT_RETURN_URL)
        return checkouts.buy_plan(once=None, owner=owner, version=version, back=back, actor=SYSTEM, trial=trial).url

    def change(self, *, subscription: Subscription, version: PlanVersion, cause: Cause) -> None:
        """Move a subscription to another plan now; what it costs more for the rest of the period is charged at once.

        Raises CardDeclined and its like, and then nothing has changed.
        """
        stripe.client().change_subscription(
            subscription.provider_reference,
            price=_price(version),
            proration="always_invoice",
            idempotency_key=f"change-{uuid4()}",
        )
        self._follow(subscription, cause)

    def change_later(self, *, subscription: Subscription, version: PlanVersion, cause: Cause) -> None:
        """Let a subscription have another plan from its next period on, which the provider then charges for."""
        stripe.client().schedule_change(
            subscription.provider_reference,
            price=_price(version),
            interval=version.interval,
            idempotency_key=f"schedule-{uuid4()}",
        )
        self._follow(subscription, cause)

    def cost(self, *, subscription: Subscription, version: PlanVersion | None, at_once: bool) -> Cost:
        """Tell what a change would cost: the provider's own figures where it prorates. Raises PlanHasNoPrice."""
        ends = subscription.current_period_end
        if version is None:
            return Cost(subscription.plan_version.currency)
        price = _price(version)
        if not at_once:
            return Cost(version.currency, next_invoice=version.price_minor, next_invoice_at=ends)
        told = stripe.client().preview_change(subscription.provider_reference, price=price, proration="always_invoice")
        now = [line for line in told.lines if line.period_start < ends]
        total = sum(line.amount for line in now)
        return Cost(
            currency=version.currency,
            due_now=max(total, 0),
            credit=-sum(line.amount for line in now if line.amount < 0),
            # What is left over pays for the next one.
            next_invoice=max(version.price_minor + min(total, 0), 0),
            next_invoice_at=max((line.period_end for line in now), default=ends),
        )

    def cancel(self, *, subscription: Subscription, at_period_end: bool, cause: Cause) -> None:
        """Let a subscription run out, or end it now."""
        stripe.client().cancel_subscription(
            subscription.provider_reference, at_period_end=at_period_end, idempotency_key=f"cancel-{uuid4()}"
        )
        self._follow(subscription, cause)

    def resume(self, *, subscription: Subscription, cause: Cause) -> None:
        """Take a cancellation back."""
        stripe.client().resume_subscription(subscription.provider_reference, idempotency_key=f"resume-{uuid4()}")
        self._follow(subscription, cause)

    def _follow(self, subscription: Subscription, cause: Cause) -> None:
        """Apply at once what Stripe's webhooks will say too, and keep who asked for it."""
        facts = tiers.look_up_subscription(subscription.provider_reference)
        with transaction.atomic():
            tiers.record_subscription(facts, asked=cause)


def _price(version: PlanVersion) -> str:
    price = PlanPrice.objects.filter(plan_version=version).first()
    if price is None:
        raise PlanHasNoPrice(f"{version} cannot be paid for: the provider has no price for it.")
    return price.price_reference
