"""Serializer fields for what every request shares: amounts, ids, texts, metadata."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any

import orjson
from django.core.validators import ProhibitNullCharactersValidator
from django.utils.timezone import is_naive
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.validators import ProhibitSurrogateCharactersValidator

from credits.amounts import plain
from credits.models.fields import MAX_AMOUNT, MAX_QUANTITY

MAX_METADATA_BYTES = 16 * 1024
MAX_METADATA_DEPTH = 8
MAX_DIGITS = 40
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
# The last words of addresses below an account: an id may not end as an address does, or its account would be another's.
LAST_WORDS = {
    *("balance", "statement", "grants", "holds", "debits", "topups", "adjustments", "freeze", "unfreeze", "close"),
    *("history", "add", "deduct", "transfer", "check", "quotas", "override", "reset", "stats", "usage", "entitlements"),
}


@extend_schema_field({"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": int(MAX_AMOUNT)})
class AmountField(serializers.Field[Decimal, Any, Any, Any]):
    """An amount greater than zero, exact. Numbers and numeric text are taken; true, NaN and Infinity are not."""

    default_error_messages = {
        "invalid": "A number is required.",
        "not_finite": "The amount must be a finite number.",
        "not_positive": "The amount must be greater than zero.",
        "zero": "The amount must not be zero.",
        "negative": "The amount must not be negative.",
        "too_large": f"The amount must not exceed {MAX_AMOUNT:f}.",
        "too_fine": "The amount has too many digits.",
    }
    sign = "positive"
    most = MAX_AMOUNT

    def to_internal_value(self, data: Any) -> Decimal:
        """Return the amount as a Decimal. How fine it may be is the unit's to say."""
        if isinstance(data, bool) or not isinstance(data, int | Decimal | str) or data == "":
            self.fail("invalid")
        if isinstance(data, str) and not NUMBER.fullmatch(data):
            self.fail("invalid")
        try:
            amount = Decimal(data)
        except InvalidOperation:
            self.fail("invalid")
        if not amount.is_finite():
            self.fail("not_finite")
        if amount.adjusted() > MAX_DIGITS:
            self.fail("too_large" if amount > 0 else self._refused_below_zero())
        if len(amount.as_tuple().digits) > MAX_DIGITS or amount.adjusted() < -MAX_DIGITS:
            self.fail("too_fine")
        self.check_sign(amount)
        if abs(amount) > self.most:
            self.fail("too_large")
        return amount

    def to_representation(self, value: Decimal) -> Any:
        """Return the amount as it is printed."""
        return value

    def check_sign(self, amount: Decimal) -> None:
        """Refuse an amount on the wrong side of zero."""
        if self.sign == "positive" and amount <= 0:
            self.fail("not_positive")
        if self.sign == "any" and amount == 0:
            self.fail("zero")
        if self.sign == "not negative" and amount < 0:
            self.fail("negative")

    def _refused_below_zero(self) -> str:
        return {"positive": "not_positive", "not negative": "negative", "any": "too_large"}[self.sign]


@extend_schema_field({"type": "number", "minimum": -int(MAX_AMOUNT), "maximum": int(MAX_AMOUNT)})
class DifferenceField(AmountField):
    """An amount that may be negative, but not zero."""

    sign = "any"


@extend_schema_field({"type": "number", "minimum": 0, "maximum": int(MAX_AMOUNT)})
class ZeroOrMoreField(AmountField):
    """An amount that may be zero."""

    sign = "not negative"


@extend_schema_field({"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": int(MAX_QUANTITY)})
class QuantityField(AmountField):
    """How much was used: greater than zero, to twelve decimal places."""

    default_error_messages = {
        "not_positive": "The quantity must be greater than zero.",
        "too_large": f"The quantity must not exceed {MAX_QUANTITY:f}.",
    }
    most = MAX_QUANTITY


class TextField(serializers.CharField):
    """Text kept as it was sent. NUL and lone surrogates are refused, as PostgreSQL cannot keep them."""

    default_error_messages = {"unstorable": "Text may hold no NUL and no lone surrogate."}

    def __init__(self, *, max_length: int, **kwargs: Any) -> None:
        kwargs.setdefault("trim_whitespace", False)
        super().__init__(max_length=max_length, **kwargs)
        # What these two look for one character at a time is told at once below; a batch has 20,000 texts.
        told_below = (ProhibitNullCharactersValidator, ProhibitSurrogateCharactersValidator)
        self.validators = [each for each in self.validators if not isinstance(each, told_below)]

    def to_internal_value(self, data: Any) -> str:
        """Return the text. A number is not taken for one."""
        if not isinstance(data, str):
            self.fail("invalid")
        if not _storable(data):
            self.fail("unstorable")
        return data


class OwnerIdField(TextField):
    """The caller's own id for the owner of an account."""

    default_error_messages = {
        "ending": "An id may not end with a slash, nor with one and a word of this API's addresses."
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=255, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return the id."""
        text = super().to_internal_value(data)
        _, slash, last = text.rpartition("/")
        if slash and (not last or last in LAST_WORDS):
            self.fail("ending")
        return text


class MomentField(serializers.DateTimeField):
    """A time with its zone: without one, whose midnight would it be?"""

    default_error_messages = {"naive": "Send a time with its zone, for example 2026-10-08T16:30:00Z."}

    def enforce_timezone(self, value: datetime) -> datetime:
        """Return the time in UTC."""
        if is_naive(value):
            self.fail("naive")
        return super().enforce_timezone(value)


class PathIdField(OwnerIdField):
    """An id that came in an address, under the name it has there."""

    def read(self, name: str, text: str) -> str:
        """Return the id. Raises ValidationError naming it."""
        try:
            return str(self.run_validation(text))
        except serializers.ValidationError as error:
            raise serializers.ValidationError({name: error.detail}) from None


@extend_schema_field({"type": "object", "additionalProperties": True, "maxProperties": 100})
class MetadataField(serializers.Field[dict[str, Any], Any, Any, Any]):
    """A JSON object of the caller's own: at most 16 kB, 8 levels deep, without NUL."""

    default_error_messages = {
        "invalid": "A JSON object is required.",
        "too_deep": f"Metadata may be at most {MAX_METADATA_DEPTH} levels deep.",
        "too_large": f"Metadata may have at most {MAX_METADATA_BYTES} bytes.",
        "text": "Metadata may hold no NUL and no lone surrogate.",
        "number": "Metadata may hold only finite numbers of ordinary size.",
        "too_many": "Metadata may have at most 100 keys.",
    }

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("required", False)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the object."""
        if not isinstance(data, dict):
            self.fail("invalid")
        if not data:
            return {}
        if len(data) > 100:
            self.fail("too_many")
        self._check(data, 1)
        if len(orjson.dumps(data, default=plain)) > MAX_METADATA_BYTES:
            self.fail("too_large")
        return data

    def to_representation(self, value: dict[str, Any]) -> dict[str, Any]:
        """Return the object as it is."""
        return value

    def _check(self, value: Any, depth: int) -> None:
        """Refuse what PostgreSQL or a JSON reader could not keep, anywhere in the object."""
        if depth > MAX_METADATA_DEPTH:
            self.fail("too_deep")
        if isinstance(value, dict | list):
            for inner in value:
                self._check(inner, depth + 1)
            for inner in value.values() if isinstance(value, dict) else ():
                self._check(inner, depth + 1)
        elif isinstance(value, str) and not _storable(value):
            self.fail("text")
        elif isinstance(value, Decimal | int) and not _ordinary(value):
            self.fail("number")


def _storable(text: str) -> bool:
    return "\0" not in text and (text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text))


def _ordinary(number: Decimal | int) -> bool:
    if isinstance(number, int):
        return abs(number) < 2**63
    if not number.is_finite():
        return False
    return abs(number.adjusted()) < MAX_DIGITS and len(number.as_tuple().digits) <= MAX_DIGITS


class RequestSerializer(serializers.Serializer[Any]):
    """A request's body. Made once for each shape and used for every request: it keeps nothing of them."""

    # Whether a name that is not known is refused. It is where leaving the amount out means all of it, so that a
    # misspelt amount is not taken for none.
    only_known = False

    def read(self, data: Any) -> dict[str, Any]:
        """Return the validated values. Raises ValidationError naming each field that is wrong."""
        return dict(self.run_validation(data if data is not None else empty))

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Do what DRF does, without running the fields that a body neither names nor must.

        An item of a batch names four of its two dozen fields, and a batch has ten thousand items.
        """
        if not isinstance(data, dict):
            return dict(super().to_internal_value(data))
        values: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        if self.only_known:
            errors = {str(name): ["There is no such field here."] for name in data if name not in self.fields}
        for name, field, check in self._reads:
            if name not in data and not field.required and field.default is empty:
                continue
            try:
                value = field.run_validation(data.get(name, empty))
                values[name] = check(value) if check else value
            except serializers.ValidationError as error:
                errors[name] = error.detail
        if errors:
            raise serializers.ValidationError(errors)
        return values

    @cached_property
    def _reads(self) -> list[tuple[str, serializers.Field[Any, Any, Any, Any], Callable[[Any], Any] | None]]:
        return [(name, field, getattr(self, f"validate_{name}", None)) for name, field in self.fields.items()]

    def _read_only_defaults(self) -> dict[str, Any]:
        """Return nothing: a request has no read-only field. DRF looks for them anew for every body."""
        return {}
