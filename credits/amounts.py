"""Amounts as JSON: numbers that say exactly what the Decimal says."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import orjson

# How many decimal places a currency's minor unit stands for, where it is not two: ISO 4217 as Stripe counts it
# (docs.stripe.com/currencies).
WHOLE = ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"]
# Plain digits of ASCII, as people write an amount: no thousands separators, no exponent.
WRITTEN = re.compile(r"[+-]?[0-9]+(?:\.([0-9]+))?")
PLACES = dict.fromkeys(WHOLE, 0) | dict.fromkeys(["BHD", "JOD", "KWD", "OMR", "TND"], 3)


# Written out, a larger number would fill the memory: 1e40000000.
MOST_DIGITS = 100


def number(amount: Decimal) -> int | orjson.Fragment:
    """Return an amount as the JSON number that says it exactly: 50, 99.75, 0.000125."""
    if amount == (whole := int(amount)):
        # Larger integers are JSON numbers too, but orjson writes only those of 64 bits.
        return whole if abs(whole) < 2**63 else orjson.Fragment(str(whole).encode())
    return orjson.Fragment(f"{amount:f}".rstrip("0").encode())


def plain(value: Any) -> Any:
    """Say for orjson what it does not know: a Decimal is a number, anything else its text."""
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) < MOST_DIGITS:
        return number(value)
    return str(value)


def say_json(value: Any) -> bytes:
    """Return as JSON whatever ``read_object`` may have returned: also what no field would take."""
    try:
        return orjson.dumps(value, default=plain)
    except TypeError:  # an integer beyond 64 bits, half a surrogate pair, or too deep
        try:
            return json.dumps(value, default=str).encode()
        except RecursionError:
            return b'"It is nested too deeply."'


def read_object(body: bytes) -> dict[str, Any]:
    """Return a JSON object; numbers with a fraction become Decimals, NaN and Infinity too, for fields to refuse.

    Raises ValueError for anything else, and where something is named twice: which of two amounts was meant?
    """
    try:
        value = json.loads(body.decode(), parse_float=Decimal, parse_constant=Decimal, object_pairs_hook=_named_once)
    except (ValueError, RecursionError, ArithmeticError):
        raise ValueError("The body is not valid JSON in UTF-8, or names something twice.") from None
    if not isinstance(value, dict):
        raise ValueError("The body must be a JSON object.")  # noqa: TRY004  # what is wrong is what was sent
    return value


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named = dict(pairs)
    if len(named) != len(pairs):
        raise ValueError("named twice")
    return named


def say(amount: Decimal) -> str:
    """Return an amount as text for people: 50, 99.75, 0.000125."""
    return f"{amount:f}".rstrip("0").rstrip(".") if amount % 1 else f"{amount:.0f}"


def grouped(amount: Decimal) -> str:
    """Return an amount as text for people, its digits in groups: 1,000 or 0.000125. Never rounded."""
    text = f"{amount:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def read_written(text: str, places: int) -> Decimal:
    """Return an amount that somebody wrote, like 50 or -12.5. Raises ValueError, with words for them."""
    text = text.strip().replace("−", "-")
    written = WRITTEN.fullmatch(text)
    if written is None:
        raise ValueError(f"“{text[:40]}” is no amount: write 50 or -12.5, without thousands separators.")
    if len(written[1] or "") > places:
        most = f"at most {places} decimal places" if places else "no decimal places"
        raise ValueError(f"“{text[:40]}” is too fine: there are {most} here, and a dot separates no thousands.")
    return Decimal(text)


def places_of(currency: str) -> int:
    """Return how many decimal places an amount of a currency has."""
    return PLACES.get(currency.upper(), 2)


def say_money(minor: int, currency: str) -> str:
    """Return an amount of money, in minor units, as text for people: 1,234.50 EUR, 500 JPY."""
    places = places_of(currency)
    return f"{Decimal(minor).scaleb(-places):,.{places}f} {currency.upper()}"
