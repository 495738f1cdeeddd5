"""What use costs: a price's scheme applied to what was used. Exact, and rounded up once a charge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_CEILING, Decimal, localcontext
from typing import Any

from credits import refusals
from credits.amounts import say
from credits.models.fields import MAX_AMOUNT, MAX_QUANTITY, QUANTITY_PLACES
from credits.models.prices import PriceScheme
from credits.plan.state import ONE, ZERO, Charge, Sheet

MILLION = Decimal(1_000_000)
TOKENS = ("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens")
# Where a price names no figure of its own for a kind of token, that of another stands in.
STANDS_IN = {"cached_input": "input", "reasoning": "output"}
MOST_TOKENS = 10**12
# More digits than the longest figure times the longest quantity has.
EXACT = 60


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used: so much of a feature, or tokens of an AI model. Each token is counted once, in one of the four."""

    feature: str = ""
    model: str = ""
    quantity: Decimal = ONE
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0

    @property
    def subject(self) -> str:
        """What is priced: the model where there is one, else the feature."""
        return self.model or self.feature

    @property
    def named(self) -> str:
        """The feature that it counts as: the model's name where no feature was said."""
        return self.feature or self.model

    def tokens(self) -> dict[str, int]:
        """Return the counts of tokens that are not zero."""
        return {name: getattr(self, name) for name in TOKENS if getattr(self, name)}

    def told(self) -> dict[str, Any]:
        """Return what is kept of it with the charge: the model, and tokens or quantity, as they were said."""
        model = {"model": self.model} if self.model else {}
        return {**model, **(self.tokens() or {"quantity": say(self.quantity)})}


@dataclass(frozen=True, slots=True)
class Tariff:
    """A version of a price, as plans need it. ``terms`` are those of its scheme, with figures as Decimals."""

    id: int
    version: int
    scheme: str
    terms: Mapping[str, Any]
    effective_at: datetime


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Every price, by unit, feature and model, latest first.

    ``unpriced`` is what use without a price is charged provisionally; where it is None such use is refused.
    """

    tariffs: Mapping[tuple[str, str, str], tuple[Tariff, ...]] = field(default_factory=dict)
    unpriced: Decimal | None = None

    def in_force(self, unit: str, usage: Usage, at: datetime) -> Tariff | None:
        """Return the price that holds for this use at a moment; None where there is none, or none any more."""
        key = (unit, "", usage.model) if usage.model else (unit, usage.feature, "")
        for tariff in self.tariffs.get(key, ()):
            if tariff.effective_at <= at:
                return None if tariff.scheme == PriceScheme.WITHDRAWN else tariff
        return None


def price(sheet: Sheet, book: PriceBook, usage: Usage) -> tuple[Decimal, Charge]:
    """Return what a use costs on an account now, and what the charge has to remember of it.

    Raises UnknownPrice where there is no price and such use is not quarantined, InvalidField for a senseless quantity.
    """
    check_usage(usage)
    tariff = book.in_force(sheet.owner.unit, usage, sheet.at)
    if tariff is None:
        if book.unpriced is None:
            raise refusals.UnknownPrice(f"There is no price for {usage.subject} in {sheet.owner.unit}.")
        return book.unpriced, Charge(counted(usage), None, usage.told(), unpriced=True)
    return cost(tariff, usage, sheet.decimal_places), Charge(counted(usage), tariff.id, usage.told())


def check_usage(usage: Usage) -> None:
    """Refuse a use of nothing, and quantities that cannot be meant."""
    if not usage.subject:
        raise refusals.InvalidField("feature", "Say which feature was used, or which model.")
    if not usage.quantity.is_finite() or usage.quantity <= 0:
        raise refusals.InvalidField("quantity", "The quantity must be greater than zero.")
    if usage.quantity > MAX_QUANTITY:
        raise refusals.InvalidField("quantity", f"The quantity must not exceed {say(MAX_QUANTITY)}.")
    if usage.quantity % Decimal(1).scaleb(-QUANTITY_PLACES):
        raise refusals.InvalidField("quantity", f"The quantity is finer than {QUANTITY_PLACES} decimal places.")
    for name, count in usage.tokens().items():
        if not 0 <= count <= MOST_TOKENS:
            raise refusals.InvalidField(name, f"Send a whole number from 0 to {MOST_TOKENS}.")


def counted(usage: Usage) -> Decimal:
    """Return how many uses a quota counts: the quantity; a call of a model is one."""
    return ONE if usage.tokens() else usage.quantity


def cost(tariff: Tariff, usage: Usage, decimal_places: int) -> Decimal:
    """Return what a use costs by a price: worked out exactly, then rounded up, once, to the unit's smallest step.

    Raises InvalidField where the price needs what the use does not say, or the amount is beyond one movement.
    """
    with localcontext(prec=EXACT):
        exact = SCHEMES[tariff.scheme](tariff.terms, usage)
        amount = exact.quantize(Decimal(1).scaleb(-decimal_places), rounding=ROUND_CEILING)
    if amount > MAX_AMOUNT:
        raise refusals.InvalidField("quantity", f"That would cost {say(amount)}, more than one charge may.")
    return amount


def _fixed(terms: Mapping[str, Any], usage: Usage) -> Decimal:
    amount: Decimal = terms["amount"]
    return amount


def _per_unit(terms: Mapping[str, Any], usage: Usage) -> Decimal:
    per: Decimal = terms["per"]
    return per * usage.quantity


def _tiered(terms: Mapping[str, Any], usage: Usage) -> Decimal:
    """Each tier prices the part of the quantity that lies in it."""
    total, below = ZERO, ZERO
    for tier in terms["tiers"]:
        up_to = usage.quantity if tier["up_to"] is None else min(tier["up_to"], usage.quantity)
        total += max(up_to - below, ZERO) * tier["per"]
        below = up_to
    return total


def _tokens(terms: Mapping[str, Any], usage: Usage) -> Decimal:
    counts = usage.tokens()
    if not counts:
        raise refusals.InvalidField("input_tokens", "This model is priced by tokens: say how many.")
    total = ZERO
    for name, count in counts.items():
        kind = name.removesuffix("_tokens")
        total += count * Decimal(terms.get(kind, terms[STANDS_IN.get(kind, kind)]))
    return total / MILLION


SCHEMES: dict[str, Callable[[Mapping[str, Any], Usage], Decimal]] = {
    PriceScheme.FIXED: _fixed,
    PriceScheme.PER_UNIT: _per_unit,
    PriceScheme.TIERED: _tiered,
    PriceScheme.TOKENS: _tokens,
}
