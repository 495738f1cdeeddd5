"""A stand-in for Stripe, so that packs and plans can be bought with the mouse; tests/fakes/stripe says what it does."""

import os
import secrets
import shlex
import sys
from collections.abc import Collection
from pathlib import Path

from .children import Child
from .gateway import kept_port
from .state import remembered

WEBHOOKS = "/webhooks/stripe"


def stripe_port(state: Path, taken: Collection[int]) -> int | None:
    """Return the stand-in's loopback port, the same each time while it is free and not `taken`.

    None where the environment has a key of Stripe's, or with STRIPE_STAND_IN=false: then plans are paid by hand.
    """
    if os.environ.get("STRIPE_SECRET_KEY") or os.environ.get("STRIPE_STAND_IN") == "false":
        return None
    return kept_port(state / "stripe-port", taken)


def stripe_settings(state: Path, port: int | None, web: str) -> dict[str, str]:
    """Return what points the service, which is at `web`, at the stand-in."""
    if port is None:
        return {}
    secret = remembered(state / "stripe-webhook-secret", lambda: f"whsec_{secrets.token_hex(24)}")
    return {
        "CHECKOUT_RETURN_URL": os.environ.get("CHECKOUT_RETURN_URL") or f"{web}/",
        "STRIPE_API_BASE": f"http://127.0.0.1:{port}",
        "STRIPE_SECRET_KEY": remembered(state / "stripe-key", lambda: f"sk_test_{secrets.token_hex(24)}"),
        "STRIPE_WEBHOOK_SECRET": secret,
    }


def stripe_stand_in(state: Path, port: int, web: str) -> Child:
    """Return the program, which sends its webhooks to the `web` address and remembers what was bought.

    Where its dashboard lets time pass, the service's test clock goes along: months of one alone make no sense.
    """
    command = [sys.executable, "-m", "tests.fakes.stripe", "--port", str(port)]
    command += ["--moves", shlex.join([sys.executable, "manage.py", "move_clock", "--at-least"])]
    return Child("stripe", [*command, "--webhook", f"{web}{WEBHOOKS}", "--state", str(state / "stripe.json")])
