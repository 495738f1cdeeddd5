"""A connection to Stripe: how it is asked, and what may go wrong. The rest says what is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import stripe
from django.db import connection

from billing.providers.stripe_http import Http, refuse
from billing.providers.stripe_objects import storable

T = TypeVar("T")
Metadata = Mapping[str, str]

# How often the SDK tries again what may pass, with a pause of half a second or more between.
RETRIES = 2
PAGE_ROWS = 100
LIVE = ("sk_live_", "rk_live_")
# Otherwise the SDK tells Stripe about this machine, and keeps an id for that in the home folder.
stripe.enable_telemetry = False


class Calls:
    """The SDK's client, guarded. ``livemode`` is the key's mode."""

    def __init__(self, url: str, *, api_key: str, seconds: float, retries: int = RETRIES) -> None:
        self.livemode = api_key.startswith(LIVE)
        self._http = Http(seconds=seconds)
        # Every kind of address, so that nothing goes elsewhere when the API is a stand-in.
        addresses: Any = dict.fromkeys(("api", "connect", "files", "meter_events"), url.rstrip("/")) if url else None
        client = stripe.StripeClient(
            api_key, base_addresses=addresses, http_client=self._http, max_network_retries=retries
        )
        self.v1 = client.v1

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def ask(self, call: Callable[[], stripe.StripeObject]) -> dict[str, Any]:
        """Return one object, plain. Raises RuntimeError in a transaction, StripeFailure."""
        return self._guarded(lambda: storable(call().to_dict(for_json=True)))

    def rows(self, call: Callable[..., Any], *arguments: Any) -> list[dict[str, Any]]:
        """Return the rows of every page, plain, as they come. Raises as ``ask`` does."""
        return self._guarded(
            lambda: [storable(row.to_dict(for_json=True)) for row in call(*arguments).auto_paging_iter()]
        )

    def _guarded(self, call: Callable[[], T]) -> T:
        if connection.in_atomic_block:
            raise RuntimeError("Stripe is never called inside a database transaction: call first, then begin one.")
        try:
            return call()
        except stripe.StripeError as error:
            refusal = refuse(error)
        # Raised here, where no link leads back to frames that hold the key.
        raise refusal


def once(key: str) -> Any:
    """Return the option that makes Stripe do a write once. Raises ValueError for no key."""
    if not key:
        raise ValueError("A write needs an idempotency key.")
    return {"idempotency_key": key}


def given(**named: Any) -> dict[str, Any]:
    """Return what is there: neither nothing nor an empty text."""
    return {name: value for name, value in named.items() if value}
