"""Requests as Stripe reads them: forms with nested keys, every value a text. Pure."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from .errors import invalid, required

Params = dict[str, Any]


def parse(text: str) -> Params:
    """Return ``a[b][0][c]=v`` as nested dicts and lists."""
    tree: Params = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        head, *rest = re.findall(r"[^\[\]]+|(?<=\[)(?=\])", name)
        place, keys = tree, [head, *rest]
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        # ``a[]`` appends.
        place[keys[-1] or str(len(place))] = value
    return {name: _lists(value) for name, value in tree.items()}


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {key: _lists(each) for key, each in value.items()}
    if inner and all(key.isdigit() for key in inner):
        return [inner[key] for key in sorted(inner, key=int)]
    return inner


def need(params: Params, name: str) -> Any:
    if params.get(name) in (None, ""):
        raise required(name)
    return params[name]


def whole(params: Params, name: str, default: int | None = None) -> int | None:
    told = params.get(name)
    if told in (None, ""):
        return default
    try:
        return int(told)
    except (TypeError, ValueError):
        raise invalid(f"Invalid integer: {told}", name, "parameter_invalid_integer") from None


def flag(params: Params, name: str, *, default: bool = False) -> bool:
    told = params.get(name)
    if told in (None, ""):
        return default
    if told not in ("true", "false"):
        raise invalid(f"Invalid boolean: {told}", name)
    return bool(told == "true")


def merge(old: dict[str, str], told: Any) -> dict[str, str]:
    """Return metadata after an update: named keys are set, emptied keys go, an empty text clears all."""
    if told is None:
        return dict(old)
    if told == "":
        return {}
    return {key: value for key, value in {**old, **told}.items() if value != ""}
