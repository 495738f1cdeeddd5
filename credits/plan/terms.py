"""The terms of a price: checked as they come in, kept as text, read as Decimals."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from credits import refusals
from credits.models.fields import MAX_AMOUNT
from credits.models.prices import PriceScheme

FEATURE_CODE = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
FINEST = Decimal(10) ** -12
TOKEN_KINDS = ("input", "output", "cached_input", "reasoning")
MOST_TIERS = 50


def stored(scheme: str, terms: Mapping[str, Any]) -> dict[str, Any]:
    """Return terms as they are kept. Raises InvalidField naming what does not fit the scheme.

    No figure may be zero or less: nothing is free, and no price pays its customer.
    """
    check, names = SCHEMES[scheme]
    unknown = set(terms) - set(names)
    if unknown:
        raise refusals.InvalidField("terms", f"{scheme} knows no {', '.join(sorted(map(str, unknown)))}.")
    return check(terms)


def figures(scheme: str, kept: Mapping[str, Any]) -> dict[str, Any]:
    """Return kept terms with their figures as Decimals."""
    if scheme == PriceScheme.TIERED:
        return {
            "tiers": [
                {"up_to": None if tier["up_to"] is None else Decimal(tier["up_to"]), "per": Decimal(tier["per"])}
                for tier in kept["tiers"]
            ]
        }
    return {name: Decimal(value) for name, value in kept.items()}


def _fixed(terms: Mapping[str, Any]) -> dict[str, Any]:
    return {"amount": _figure(terms, "amount")}


def _per_unit(terms: Mapping[str, Any]) -> dict[str, Any]:
    return {"per": _figure(terms, "per")}


def _tiered(terms: Mapping[str, Any]) -> dict[str, Any]:
    tiers = terms.get("tiers")
    if not isinstance(tiers, list) or not 1 <= len(tiers) <= MOST_TIERS or not all(isinstance(t, dict) for t in tiers):
        raise refusals.InvalidField("terms", f"tiers is a list of 1 to {MOST_TIERS} objects with up_to and per.")
    kept, below = [], Decimal(0)
    for index, tier in enumerate(tiers):
        last = index == len(tiers) - 1
        if (tier.get("up_to") is None) != last or set(tier) - {"up_to", "per"}:
            raise refusals.InvalidField("terms", "Each tier has up_to and per; the last one's up_to is null.")
        up_to = None if last else _figure(tier, "up_to")
        if up_to is not None and Decimal(up_to) <= below:
            raise refusals.InvalidField("terms", "Each tier's up_to must be greater than the one before.")
        below = below if up_to is None else Decimal(up_to)
        kept.append({"up_to": up_to, "per": _figure(tier, "per")})
    return {"tiers": kept}


def _tokens(terms: Mapping[str, Any]) -> dict[str, Any]:
    return {
        kind: _figure(terms, kind) for kind in TOKEN_KINDS if kind in {"input", "output"} or terms.get(kind) is not None
    }


def _withdrawn(terms: Mapping[str, Any]) -> dict[str, Any]:
    return {}


def _figure(terms: Mapping[str, Any], name: str) -> str:
    value = terms.get(name)
    try:
        if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
            raise InvalidOperation
        if isinstance(value, str) and not NUMBER.fullmatch(value):
            raise InvalidOperation
        figure = Decimal(value)
    except InvalidOperation:
        raise refusals.InvalidField("terms", f"{name} must be a number.") from None
    if not figure.is_finite() or figure <= 0:
        raise refusals.InvalidField("terms", f"{name} must be greater than zero: nothing is free.")
    if figure > MAX_AMOUNT or figure < FINEST or figure % FINEST:
        raise refusals.InvalidField(
            "terms", f"{name} must be from {FINEST:f} to {MAX_AMOUNT:f}, no finer than the first."
        )
    return f"{figure.normalize():f}"


SCHEMES: dict[str, tuple[Callable[[Mapping[str, Any]], dict[str, Any]], tuple[str, ...]]] = {
    PriceScheme.FIXED: (_fixed, ("amount",)),
    PriceScheme.PER_UNIT: (_per_unit, ("per",)),
    PriceScheme.TIERED: (_tiered, ("tiers",)),
    PriceScheme.TOKENS: (_tokens, TOKEN_KINDS),
    PriceScheme.WITHDRAWN: (_withdrawn, ()),
}
