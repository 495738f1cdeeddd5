"""What staff is shown of a payload: all of it but what would open a door, or pay."""

from __future__ import annotations

import re
from typing import Any

MASK = "••••••"
SECRET_NAMES = re.compile(r"secret|password|token|authorization|api_?key|cvc|fingerprint", re.IGNORECASE)
# Keys of the provider, its signing secrets, and what a browser may pay with.
SECRET_VALUES = re.compile(r"\b(?:[sr]k_(?:live|test)_\w+|whsec_\w+|(?:pi|seti|cs)_\w+_secret_\w+)")
# What a call shows to be let in, with its word before it or without.
TOKENS = re.compile(r"\bbearer\s+[\w.~+/=-]{6,}|\beyJ[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
# As many digits as a card has, in groups or not. An id of so many digits is covered too: better one too many.
CARD = re.compile(r"(?<!\w)[0-9](?:[ \u00a0-]?[0-9]){12,18}(?!\w)")
# Behind the # of a page to pay on stands what opens it; the path of a portal's page does.
PAGES = re.compile(r"(https?://[\w.-]+\.stripe\.com/[^\s#]*#|https?://billing\.stripe\.com/p/session/)\S+")


def masked(told: Any, name: str = "") -> Any:
    """Return a payload with what is secret in it covered, by the names of its fields and by what secrets look like."""
    if told not in (None, "") and not isinstance(told, bool) and SECRET_NAMES.search(name):
        return MASK
    if isinstance(told, dict):
        return {key: masked(value, str(key)) for key, value in told.items()}
    if isinstance(told, list):
        return [masked(value) for value in told]
    return _covered(told) if isinstance(told, str) else told


def _covered(text: str) -> str:
    for secret in (SECRET_VALUES, TOKENS, CARD):
        text = secret.sub(MASK, text)
    return PAGES.sub(rf"\1{MASK}", text)
