"""Whether a webhook is Stripe's: signed by a secret of ours, and just now."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import stripe

from billing import refusals

# How far a signature's time may be from ours, either way.
TOLERANCE_SECONDS = 300


def verify(raw_body: bytes, header: str, secrets: Iterable[str], now: datetime) -> dict[str, Any]:
    """Return the event of a webhook that one of the secrets signed within five minutes of ``now``, before or after.

    Nothing of the body is looked at before. Raises BadSignature, StaleSignature.
    """
    if not any(_signed(raw_body, header, secret) for secret in secrets):
        raise refusals.BadSignature("None of the webhook secrets signed this.")
    # The SDK refuses what is old only, by a clock of its own.
    if abs(now.timestamp() - _timestamp(header)) > TOLERANCE_SECONDS:
        raise refusals.StaleSignature(f"The signature is more than {TOLERANCE_SECONDS} seconds from now.")
    try:
        event = json.loads(raw_body)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict) or event.get("object") != "event":
        raise refusals.BadSignature("The signed body is no event.")
    return event


def _signed(raw_body: bytes, header: str, secret: str) -> bool:
    try:
        return bool(stripe.WebhookSignature.verify_header(raw_body, header, secret))
    except (stripe.SignatureVerificationError, ValueError, TypeError):
        # A body that is no text, or a header with letters that no signature has.
        return False


def _timestamp(header: str) -> int:
    """Return the time that was signed: the first, as the SDK reads it."""
    return int(next(part for part in header.split(",") if part.split("=")[0] == "t").split("=")[1])
