"""What staff is shown of a payload: all of it but what would open a door, or pay."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from typing import Any

MASK = "••••••"
URLSAFE = str.maketrans("+/", "-_")
SECRET_NAMES = re.compile(
    r"secret|passw|passphrase|token|authori[sz]ation|credential|cookie|cvc|fingerprint"
    r"|(?:api|private|access|secret)[-_ ]?key|account[-_ ]?number",
    re.IGNORECASE,
)
# Short ones stand alone: shipping is no pin, and the id of a session opens nothing.
WHOLE_NAMES = re.compile(r"(?:.*[-_ ])?(?:pin|pwd|iban|session)", re.IGNORECASE)
# Pages to pay on are called so, and support looks for them by that.
SESSION_IDS = re.compile(r"(?:cs|bps|ses)_\w+")
# Keys of the provider, its signing secrets, and what a browser may pay with.
SECRET_VALUES = re.compile(r"\b(?:[sre]k_(?:live|test)_\w+|whsec_\w+|(?:pi|seti|cs)_\w+_secret_\w+)")
# What a call shows to be let in, with its word before it or without.
TOKENS = re.compile(r"\bbearer\s+[\w.~+/=-]{6,}|\beyJ[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
# As many digits as a card has, in groups or not. An id of so many digits is covered too: better one too many.
CARD = re.compile(r"(?<!\w)[0-9](?:[ \u00a0-]?[0-9]){12,18}(?!\w)")
# A name and its password, in base64. “Basic Monthly” is a plan.
BASIC = re.compile(r"(\bauthorization\W{1,4})?\bbasic\s+([\w+/-]+={0,2})", re.IGNORECASE)
# What stands before the @ of an address.
PASSED = re.compile(r"(?<=://)[^\s/?#]+(?=@)")
# Behind the # of a page to pay on stands what opens it; the path of a portal's page does.
PAGES = re.compile(r"(https?://[\w.-]+\.stripe\.com/[^\s#]*#|https?://billing\.stripe\.com/p/session/)\S+")


def masked(told: Any, name: str = "") -> Any:
    """Return a payload with what is secret in it covered, by the names of its fields and by what secrets look like."""
    if told not in (None, "") and not isinstance(told, bool) and _is_secret(told, name):
        return MASK
    if isinstance(told, dict):
        return {key: masked(value, str(key)) for key, value in told.items()}
    if isinstance(told, list):
        return [masked(value) for value in told]
    return _covered(told) if isinstance(told, str) else told


def _is_secret(told: Any, name: str) -> bool:
    if WHOLE_NAMES.fullmatch(name):
        return not (isinstance(told, str) and SESSION_IDS.fullmatch(told))
    return SECRET_NAMES.search(name) is not None


def _covered(text: str) -> str:
    for secret in (SECRET_VALUES, TOKENS, PASSED, CARD):
        text = secret.sub(MASK, text)
    return PAGES.sub(rf"\1{MASK}", BASIC.sub(_basic, text))


def _basic(found: re.Match[str]) -> str:
    before, given = found[1] or "", found[2]
    try:
        said = urlsafe_b64decode(f"{given.rstrip('=').translate(URLSAFE)}==")
    except ValueError:
        said = b""
    return f"{before}{MASK}" if before or b":" in said else found[0]
