"""The shelf: staff changes what is sold. Who has a page open keeps the terms that it was opened on."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils import timezone

from billing.models import Pack, PlanPrice
from billing.providers import stripe
from billing.refusals import UnknownPack
from billing.services.catalogue import Cost, Terms, add_pack, difference
from credits.refusals import InvalidField
from credits.services.once import Once, keep
from subscriptions.models import PlanVersion


def put_pack(*, once: Once | None, code: str, terms: Terms, price_reference: str = "") -> Pack:
    """Add a pack. It is sold once it has a price at the provider's. Raises InvalidField for a code that is taken."""

    def act() -> Pack:
        try:
            with transaction.atomic():
                pack = add_pack(code=code, terms=terms)
        except IntegrityError:
            raise InvalidField("code", "There is a pack of that code already.") from None
        return _priced(pack, price_reference)

    return keep(once=once, act=act)


def change_pack(*, once: Once | None, code: str, terms: Terms, price_reference: str) -> Pack:
    """Sell a pack on other terms from now on.

    At another cost its old price is let go, so that it is not sold until it has one that fits: the one that is given,
    or one that ``publish_catalogue`` makes. Raises UnknownPack.
    """

    def act() -> Pack:
        pack = lock_pack(code)
        same = (pack.price_minor, pack.currency) == (terms.price_minor, terms.currency)
        reference = price_reference if same or price_reference != pack.price_reference else ""
        pack.name, pack.credits, pack.expires_after_days = terms.name, terms.credits, terms.expires_after_days
        pack.price_minor, pack.currency = terms.price_minor, terms.currency
        pack.save(update_fields=["name", "credits", "price_minor", "currency", "expires_after_days"])
        return _priced(pack, reference)

    return keep(once=once, act=act)


def sell_pack(*, once: Once | None, code: str, sold: bool) -> Pack:
    """Take a pack off the shelf, or put it there again. Raises UnknownPack."""

    def act() -> Pack:
        pack = lock_pack(code)
        pack.active = sold
        pack.save(update_fields=["active"])
        return pack

    return keep(once=once, act=act)


def map_price(*, once: Once | None, version: PlanVersion, price_reference: str) -> PlanPrice:
    """Say which of the provider's prices pays for a plan's version, for good. Raises InvalidField."""

    def act() -> PlanPrice:
        try:
            with transaction.atomic():
                return PlanPrice.objects.create(
                    plan_version=version, price_reference=price_reference, created_at=timezone.now()
                )
        except IntegrityError:
            says = "The version has its price already, or the price pays for another."
            raise InvalidField("price_reference", says) from None

    return keep(once=once, act=act)


def check_price(reference: str, cost: Cost) -> None:
    """Refuse a price that the provider does not have, or that costs otherwise. Must not be called in a transaction.

    Raises InvalidField, StripeFailure.
    """
    there = {price.id: price for price in stripe.client().prices()}
    for says in difference("It", there, reference, cost):
        raise InvalidField("price_reference", says)


def lock_pack(code: str) -> Pack:
    """Return a pack, locked until the transaction ends. Raises UnknownPack."""
    pack = Pack.objects.select_for_update(no_key=True).filter(pk=code).first()
    if pack is None:
        raise UnknownPack(f"There is no pack {code}.")
    return pack


def _priced(pack: Pack, reference: str) -> Pack:
    if pack.price_reference != reference:
        pack.price_reference = reference
        pack.save(update_fields=["price_reference"])
    return pack
