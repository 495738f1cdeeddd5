"""JSON in and out: amounts are exact numbers on both sides, never floats, and ints where they are whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import IO, Any

import orjson
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from credits.amounts import number, plain, read_object
from credits.api.bodies import MAX_BODY
from credits.api.problems import BodyTooLarge


def dumps(value: Any) -> bytes:
    """Return a value as JSON. Decimals are exact numbers; times end in Z; half a surrogate pair is a question mark."""
    try:
        return orjson.dumps(value, default=plain, option=orjson.OPT_UTC_Z)
    except TypeError:  # a refusal that repeats a caller's text, which UTF-8 may not be able to say
        return orjson.dumps(_sayable(value), default=plain, option=orjson.OPT_UTC_Z)


def _sayable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_sayable(name): _sayable(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_sayable(each) for each in value]
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


def canonical(value: Any) -> bytes:
    """Return JSON that is the same for equal values: keys sorted, 5 and 5.0 alike."""
    try:
        return orjson.dumps(value, default=_normal, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # an integer beyond 64 bits
        return json.dumps(value, default=str, sort_keys=True).encode()


def _normal(value: Any) -> Any:
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) < 100:
        return number(value)
    return str(value)


class JsonParser(BaseParser):
    """Reads a JSON object. Numbers with a fraction become Decimals; NaN and Infinity too, for fields to refuse."""

    media_type = "application/json"
    max_body = MAX_BODY

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the object. Raises ParseError for anything else, BodyTooLarge beyond ``max_body`` bytes."""
        limit = getattr(parser_context["view"], "max_body", self.max_body) if parser_context else self.max_body
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise BodyTooLarge(limit)
        if not body:
            # It came in chunks, of which there were none.
            return {}
        try:
            return read_object(body)
        except ValueError as error:
            raise ParseError(str(error)) from None


class JsonRenderer(BaseRenderer):
    """Writes JSON; a body that is bytes already goes out as it is."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        """Return the body."""
        if data is None:
            return b""
        return data if isinstance(data, bytes) else dumps(data)


class OneFormat(BaseContentNegotiation):
    """Reads JSON and answers JSON, whatever the Accept header hopes for."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """Return the JSON parser, or refuse another content type with a 415."""
        media_type = request.content_type.split(";", 1)[0].strip().lower()
        if media_type != "application/json":
            raise UnsupportedMediaType(media_type or "none", "The body must be application/json.")
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        """Return the JSON renderer."""
        return renderers[0], renderers[0].media_type
