"""Buying: the provider's page is opened on the terms of the moment, once for a request."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from uuid_utils.compat import uuid7

from billing import refusals
from billing.models import Checkout, CheckoutKind, CheckoutStatus, Pack, PlanPrice
from billing.providers import stripe
from billing.providers.stripe_objects import CheckoutSession
from billing.services.customers import customer_of
from credits import refusals as ledger
from credits.amounts import say_money
from credits.models import Account, AccountStatus
from credits.plan import Actor, Owner
from credits.services.once import Once, keep
from subscriptions.models import PlanVersion
from subscriptions.providers import collector_of
from subscriptions.queries import current_subscription
from subscriptions.refusals import AlreadySubscribed
from subscriptions.rules import check_trial
from subscriptions.services.rows import check_unit, had_trial, terms_of

log = logging.getLogger(__name__)

OVER = {"complete": CheckoutStatus.PENDING, "expired": CheckoutStatus.EXPIRED}


@dataclass(frozen=True, slots=True)
class Return:
    """Where the customer goes from the provider's page: having paid, or not."""

    success_url: str
    cancel_url: str


def buy_pack(*, once: Once | None, owner: str, pack: str, back: Return, actor: Actor) -> Checkout:
    """Open a page on which an owner pays for a pack, for the account in its unit. No credit moves before it is paid.

    Raises UnknownAccount, AccountClosed, UnknownPack, PackNotOffered, PriceDiffers, InvalidField, StripeFailure.
    """
    if once is not None:
        once.check(once.find())
    row = Pack.objects.filter(pk=pack).first()
    if row is None:
        raise refusals.UnknownPack(f"There is no pack {pack}.")
    account = _account(Owner(owner, row.unit_id))
    if not row.active or not row.price_reference:
        raise refusals.PackNotOffered(f"{row.code} is not sold.")
    checkout = _row(
        once, account, actor, kind=CheckoutKind.PACK, pack=row, credits=row.credits, amount_minor=row.price_minor,
        currency=row.currency, expires_after_days=row.expires_after_days,
    )  # fmt: skip
    if not checkout.url:
        _refuse_over(checkout)
        _opened(checkout, _pack_page(checkout, account, row, back), total=checkout.amount_minor)
    return keep(once=once, act=lambda: checkout)


def buy_plan(
    *, once: Once | None, owner: Owner, version: PlanVersion, back: Return, actor: Actor, trial: bool = False
) -> Checkout:
    """Open a page on which an account pays for a plan. It is subscribed once that is done; earlier pages are closed.

    Asked for at once by several, one page is left to pay on: the last one's. Raises UnknownAccount, AccountClosed,
    AlreadySubscribed, CheckoutReplaced, TrialNotOffered, TrialUsed, PlanHasNoPrice, PriceDiffers, InvalidField,
    StripeFailure.
    """
    if once is not None:
        once.check(once.find())
    account = _account(owner)
    check_unit(version, account.unit_id)
    _check_free(account)
    if trial:
        check_trial(terms_of(version), had_trial=had_trial(account.pk))
    price = PlanPrice.objects.filter(plan_version=version).first()
    if price is None:
        raise refusals.PlanHasNoPrice(f"{version} cannot be paid for: the provider has no price for it.")
    checkout = _row(
        once, account, actor, kind=CheckoutKind.PLAN, plan_version=version, trial=trial,
        amount_minor=version.price_minor, currency=version.currency,
    )  # fmt: skip
    if not checkout.url:
        _refuse_over(checkout)
        _close_earlier(checkout)
        made = _plan_page(checkout, account, price, back, trial_days=version.trial_days if trial else 0)
        _opened(checkout, made, total=0 if trial else checkout.amount_minor)
    return keep(once=once, act=lambda: checkout)


def update_checkout(told: CheckoutSession) -> Checkout | None:
    """Note what the provider says of a page, if it is one of ours. Whether it is paid, its payment tells."""
    named = told.metadata.get("checkout")
    checkout = Checkout.objects.select_for_update(no_key=True).filter(pk=named).first() if named else None
    if checkout is None:
        return None
    if told.status == "complete" and told.payment_status != "unpaid":
        set_status(checkout, CheckoutStatus.PAID)
    elif checkout.status == CheckoutStatus.OPEN:
        set_status(checkout, OVER.get(told.status, CheckoutStatus.OPEN))
    return checkout


def set_status(checkout: Checkout, status: CheckoutStatus) -> None:
    """Set a checkout's status. Once paid it stays so: what became of the money is the payment's to say."""
    if checkout.status not in {CheckoutStatus.PAID, status}:
        checkout.status, checkout.updated_at = status, timezone.now()
        checkout.save(update_fields=["status", "updated_at"])


def _account(owner: Owner) -> Account:
    account = Account.objects.filter(pk=owner.account).first()
    if account is None:
        raise ledger.UnknownAccount("There is no such account.")
    if account.status == AccountStatus.CLOSED:
        raise ledger.AccountClosed("The account is closed.")
    return account


def _check_free(account: Account) -> None:
    """Refuse an account that pays for a plan already: that one is to be changed."""
    live = current_subscription(account.pk)
    if live.subscription is not None and collector_of(live.subscription) is not None:
        raise AlreadySubscribed(
            f"The account pays for {live.subscription.plan_version.plan_id} already: upgrade or downgrade that.",
            subscription_id=live.subscription.pk,
        )


def _close_earlier(checkout: Checkout) -> None:
    """Close the pages for plans that the account has open besides: were two paid, it would pay twice each month."""
    earlier = Checkout.objects.filter(
        account_id=checkout.account_id, kind=CheckoutKind.PLAN, status=CheckoutStatus.OPEN, livemode=checkout.livemode,
        created_at__lt=checkout.created_at,
    )  # fmt: skip
    for page in earlier.exclude(provider_id=""):
        told = close_page(page.provider_id)
        if told.status == "complete":
            # It stays as it is: until its own event brings the plan, it keeps others from being opened.
            raise AlreadySubscribed("The account has just paid for a plan: it begins in a moment.")
        with transaction.atomic():
            update_checkout(told)


def close_page(page: str) -> CheckoutSession:
    """Let nobody pay on a page any more. Returns what became of it: somebody may just have paid."""
    client = stripe.client()
    try:
        return client.expire_checkout(page)
    except refusals.StripeRefused:
        return client.checkout_session(page)


def _refuse_over(checkout: Checkout) -> None:
    """Refuse a checkout that nobody can pay any more. Its key stays with it: the next request needs another."""
    if checkout.status == CheckoutStatus.EXPIRED and checkout.failure:
        raise refusals.PriceDiffers(checkout.failure)
    if checkout.status == CheckoutStatus.EXPIRED:
        raise refusals.CheckoutReplaced("Another page for a plan was opened meanwhile: pay on that one.")


@transaction.atomic
def _row(once: Once | None, account: Account, actor: Actor, **terms: Any) -> Checkout:
    """Return the checkout of a request: the one it made before it was cut off, or a new one.

    Raises IdempotencyKeyReused where another request made that of its key.
    Where it is for a plan, those that have no page yet come to nothing: theirs is closed as soon as it is there.
    """
    plan = terms["kind"] == CheckoutKind.PLAN
    now, others = timezone.now(), Checkout.objects.filter(account=account, kind=CheckoutKind.PLAN)
    if plan:
        # One at a time for an account, each later than those before it: so it is known whose page is left.
        Account.objects.select_for_update(no_key=True).get(pk=account.pk)
        last = others.aggregate(Max("created_at"))["created_at__max"]
        now = max(now, last + timedelta(microseconds=1)) if last else now
    key = f"{once.owner}:{once.key}" if once is not None else ""
    made = Checkout(
        id=uuid7(), account=account, livemode=stripe.client().livemode, request_key=key,
        request_fingerprint=once.fingerprint if once is not None else "", actor_name=actor.name,
        created_at=now, updated_at=now, **terms,
    )  # fmt: skip
    Checkout.objects.bulk_create([made], ignore_conflicts=True)
    row = Checkout.objects.get(request_key=key) if key else Checkout.objects.get(pk=made.pk)
    if once is not None:
        once.check_same(row.request_fingerprint)
    if plan and row.pk == made.pk:
        unopened = others.filter(status=CheckoutStatus.OPEN, provider_id="", livemode=row.livemode)
        unopened.exclude(pk=row.pk).update(status=CheckoutStatus.EXPIRED, updated_at=now)
    return row


def _pack_page(checkout: Checkout, account: Account, pack: Pack, back: Return) -> CheckoutSession:
    return stripe.client().checkout_pack(
        customer=customer_of(account).provider_id,
        price=pack.price_reference,
        success_url=back.success_url,
        cancel_url=back.cancel_url,
        reference=account.external_id[:200],
        metadata={"checkout": str(checkout.pk), "account": str(account.pk)},
        idempotency_key=f"checkout-{checkout.pk}",
        save_card=True,
    )


def _plan_page(
    checkout: Checkout, account: Account, price: PlanPrice, back: Return, *, trial_days: int
) -> CheckoutSession:
    return stripe.client().checkout_plan(
        customer=customer_of(account).provider_id,
        price=price.price_reference,
        success_url=back.success_url,
        cancel_url=back.cancel_url,
        reference=account.external_id[:200],
        metadata={"checkout": str(checkout.pk), "account": str(account.pk)},
        idempotency_key=f"checkout-{checkout.pk}",
        trial_days=trial_days,
    )


def _opened(checkout: Checkout, page: CheckoutSession, *, total: int) -> None:
    """Note the page of a checkout, on which ``total`` is due.

    It is closed again, and refused, where it asks for another amount or where another page came meanwhile: raises
    PriceDiffers, CheckoutReplaced.
    """
    with transaction.atomic():
        row = Checkout.objects.select_for_update(no_key=True).get(pk=checkout.pk)
        if row.status == CheckoutStatus.OPEN:
            row.failure = _differs(checkout, page, total)
            row.status = CheckoutStatus.EXPIRED if row.failure else row.status
        if row.status != CheckoutStatus.EXPIRED:
            row.provider_id, row.url = page.id, page.url
        row.updated_at = timezone.now()
        row.save(update_fields=["provider_id", "url", "status", "failure", "updated_at"])
    if row.status == CheckoutStatus.EXPIRED:
        close_page(page.id)
    checkout.provider_id, checkout.url, checkout.status, checkout.failure = (
        row.provider_id, row.url, row.status, row.failure
    )  # fmt: skip
    _refuse_over(row)


def _differs(checkout: Checkout, page: CheckoutSession, total: int) -> str:
    """Return in words what a page asks for where that is not what is asked for here, else nothing."""
    theirs, currency = page.amount_total, page.currency.upper()
    if (theirs, currency) == (total, checkout.currency):
        return ""
    log.error("Checkout %s: the provider has another price; compare the catalogues", checkout.pk)
    there, here = say_money(theirs, currency), say_money(total, checkout.currency)
    return f"{there} are asked for there, {here} here."
