"""What is sold: packs, and which of the provider's prices pays for what."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.db.models import QuerySet
from django.utils import timezone

from billing.models import Pack, PlanPrice
from billing.providers import stripe
from billing.providers.stripe_objects import Price
from credits.amounts import say_money
from subscriptions.models import PlanVersion
from subscriptions.queries import offered_versions


@dataclass(frozen=True, slots=True)
class Terms:
    """What a pack brings, and for how much."""

    name: str
    credits: Decimal
    price_minor: int
    currency: str = "USD"
    unit: str = "credits"
    expires_after_days: int | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """What something costs: once, or each so many intervals."""

    minor: int
    currency: str
    interval: str = ""
    every: int = 0

    def __str__(self) -> str:
        often = f" each {self.every} {self.interval}s" if self.every > 1 else f" a {self.interval}"
        return say_money(self.minor, self.currency) + often * bool(self.interval)


def add_pack(*, code: str, terms: Terms) -> Pack:
    """Add a pack. It is sold once the provider has a price for it. Raises IntegrityError where there is one."""
    return Pack.objects.create(
        code=code,
        name=terms.name,
        unit_id=terms.unit,
        credits=terms.credits,
        price_minor=terms.price_minor,
        currency=terms.currency,
        expires_after_days=terms.expires_after_days,
        created_at=timezone.now(),
    )


def publish_catalogue() -> int:
    """Give every pack, and the newest version of every plan that costs something, a price at the provider's.

    A price that stands there under our name is taken. Returns how many were missing here. Raises StripeFailure.
    """
    there = {price.lookup_key: price for price in stripe.client().prices() if price.active and price.lookup_key}
    done = 0
    for pack in Pack.objects.filter(active=True, price_reference=""):
        price = there.get(pack_key(pack)) or _made(pack_key(pack), pack.name, pack.currency, pack.price_minor)
        # Not where it has another cost by now, or a price.
        same = {"price_reference": "", "price_minor": pack.price_minor, "currency": pack.currency}
        done += Pack.objects.filter(pk=pack.pk, **same).update(price_reference=price.id)
    for version in _paid_versions().filter(provider_price__isnull=True):
        key = version_key(version)
        price = there.get(key) or _made(
            key, version.plan.name, version.currency, version.price_minor, interval=version.interval
        )
        made = {"price_reference": price.id, "created_at": timezone.now()}
        done += PlanPrice.objects.get_or_create(plan_version=version, defaults=made)[1]
    return done


def compare_catalogue() -> list[str]:
    """Return in words where what is sold here differs from the provider's prices. Raises StripeFailure."""
    there = {price.id: price for price in stripe.client().prices()}
    found = []
    for pack in Pack.objects.filter(active=True):
        found += difference(f"Pack {pack.code}", there, pack.price_reference, Cost(pack.price_minor, pack.currency))
    for version in _paid_versions().select_related("provider_price"):
        reference = getattr(getattr(version, "provider_price", None), "price_reference", "")
        found += difference(f"Plan {version}", there, reference, cost_of(version))
    return found


def cost_of(version: PlanVersion) -> Cost:
    """Return what a plan's version costs."""
    return Cost(version.price_minor, version.currency, version.interval, 1)


def pack_key(pack: Pack) -> str:
    """Return the name under which the provider has a pack's price."""
    return f"florin-pack-{pack.code}-{pack.price_minor}-{pack.currency}".lower()


def version_key(version: PlanVersion) -> str:
    """Return the name under which the provider has the price of a plan's version."""
    return f"florin-plan-{version.plan_id}-{version.number}-{version.price_minor}-{version.currency}".lower()


def _paid_versions() -> QuerySet[PlanVersion]:
    return offered_versions().filter(price_minor__gt=0)


def _made(key: str, name: str, currency: str, amount: int, *, interval: str = "") -> Price:
    return stripe.client().create_price(
        name=name, lookup_key=key, currency=currency.lower(), unit_amount=amount, interval=interval,
        metadata={"florin": key}, idempotency_key=f"price-{key}",
    )  # fmt: skip


def unpublished() -> list[str]:
    """Return in words what is to be sold and has no price at the provider's yet."""
    packs = Pack.objects.filter(active=True, price_reference="")
    versions = _paid_versions().filter(provider_price__isnull=True)
    return [
        *(f"{pack.name}, {Cost(pack.price_minor, pack.currency)}" for pack in packs),
        *(f"{version}, {cost_of(version)}" for version in versions),
    ]


def difference(what: str, there: dict[str, Price], reference: str, ours: Cost) -> list[str]:
    """Return in words how a price of the provider's is not what something costs here."""
    price = there.get(reference)
    if price is None:
        return [f"{what} has no price at the provider's."]
    if not price.active:
        return [f"{what}: {reference} is no longer sold at the provider's."]
    theirs = Cost(price.unit_amount, price.currency.upper(), price.interval, price.interval_count)
    return [] if theirs == ours else [f"{what} costs {ours} here, {theirs} as {reference} at the provider's."]
