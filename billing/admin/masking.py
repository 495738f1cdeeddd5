"""What staff is shown of a payload: all of it but what would open a door, or pay."""

from __future__ import annotations

import re
from typing import Any

MASK = "••••••"
SECRET_NAMES = re.compile(r"secret|password|token|authorization|api_?key|cvc|fingerprint", re.IGNORECASE)
# Keys of the provider, its signing secrets, and what a browser may pay with.
SECRET_VALUES = re.compile(r"\b(?:[sr]k_(?:live|test)_\w+|whsec_\w+|(?:pi|seti|cs)_\w+_secret_\w+)")


def masked(told: Any, name: str = "") -> Any:
    """Return a payload with what is secret in it covered, by the names of its fields and by what secrets look like."""
    if told not in (None, "") and not isinstance(told, bool) and SECRET_NAMES.search(name):
        return MASK
    if isinstance(told, dict):
        return {key: masked(value, str(key)) for key, value in told.items()}
    if isinstance(told, list):
        return [masked(value) for value in told]
    return SECRET_VALUES.sub(MASK, told) if isinstance(told, str) else told
