"""Accounts as the payment provider knows them."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.utils import timezone
from uuid_utils.compat import uuid7

from billing import refusals
from billing.models import Customer
from billing.providers import stripe
from billing.providers.stripe_objects import Customer as Told
from credits import refusals as ledger
from credits.models import Account
from credits.plan import Owner

# What subscriptions call the payment provider.
PROVIDER = "stripe"


def customer_of(account: Account) -> Customer:
    """Return an account's customer, made at the provider where there is none yet.

    The row comes first and the provider is asked with a key made of it: asked twice, or cut off, it makes one.
    Raises StripeFailure.
    """
    client = stripe.client()
    row = _row(account.pk, livemode=client.livemode)
    if not row.provider_id:
        email = account.external_id if "@" in account.external_id else ""
        made = client.create_customer(
            account_ref=str(account.pk), email=email, name=account.external_id, idempotency_key=f"customer-{row.pk}"
        )
        row.provider_id, row.email = made.id, made.email
        row.save(update_fields=["provider_id", "email"])
    return row


def open_portal(owner: Owner, return_url: str) -> str:
    """Return where an owner manages cards and sees invoices. Raises UnknownAccount, NoCustomer, StripeFailure."""
    if not Account.objects.filter(pk=owner.account).exists():
        raise ledger.UnknownAccount("There is no such account.")
    client = stripe.client()
    row = Customer.objects.filter(account_id=owner.account, livemode=client.livemode, deleted=False).first()
    if row is None or not row.provider_id:
        raise refusals.NoCustomer("The account has bought nothing yet.")
    return client.portal(customer=row.provider_id, return_url=return_url).url


def account_of_customer(provider_id: str, *, livemode: bool) -> UUID | None:
    """Return whose account a customer of the provider's pays for, if it is one of ours."""
    rows = Customer.objects.filter(provider_id=provider_id, livemode=livemode)
    return rows.values_list("account_id", flat=True).first() if provider_id else None


def update_customer(told: Told) -> None:
    """Note what the provider says of a customer. A deleted one is replaced at the next purchase."""
    rows = Customer.objects.filter(provider_id=told.id)
    rows.update(deleted=True) if told.deleted else rows.update(email=told.email)


def _row(account: UUID, *, livemode: bool) -> Customer:
    with transaction.atomic():
        made = Customer(id=uuid7(), account_id=account, livemode=livemode, created_at=timezone.now())
        Customer.objects.bulk_create([made], ignore_conflicts=True)
    return Customer.objects.get(account_id=account, livemode=livemode, deleted=False)
