"""How Stripe's SDK gets to the network, and what its errors become."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from typing import Any

import httpx
import stripe

from billing import refusals

log = logging.getLogger(__name__)


class Http(stripe.HTTPClient):
    """The SDK's network, by httpx: threads share it, and neither a proxy nor a .netrc of the machine's sees the key."""

    name = "httpx"

    def __init__(self, *, seconds: float) -> None:
        super().__init__()
        self._http = httpx.Client(
            follow_redirects=False,
            trust_env=False,
            verify=ssl.create_default_context(),
            timeout=httpx.Timeout(seconds, connect=seconds / 2),
        )

    def request(  # type: ignore[override]  # the SDK's base class says text where its own clients return bytes
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **_: Any
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Send a request. Raises APIConnectionError, which the SDK tries again."""
        why = ""
        try:
            response = self._http.request(method, url, headers=headers, content=post_data)
        except httpx.HTTPError as error:
            # The error holds the request, and with it the key: only its kind goes on from here.
            why = type(error).__name__
        if why:
            raise stripe.APIConnectionError(why, should_retry=True)  # type: ignore[no-untyped-call]
        return response.content, response.status_code, response.headers

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()


def refuse(error: stripe.StripeError) -> refusals.StripeFailure:
    """Return our refusal for an error of the SDK's. It has Stripe's codes, and none of its words."""
    code = error.code or ""
    if isinstance(error, stripe.CardError):
        return _declined(error, code)
    if isinstance(error, stripe.APIConnectionError | stripe.RateLimitError) or _passing(error):
        log.warning("Stripe: %s %s", type(error).__name__, error.http_status or error.user_message)
        return refusals.StripeUnreachable("The payment provider could not be reached. Try again in a moment.")
    if code == "resource_missing":
        return refusals.StripeNotFound("The payment provider knows no such object.")
    if isinstance(error, stripe.IdempotencyError):
        code = "idempotency_error"
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        log.error("Stripe answers %s: check STRIPE_SECRET_KEY", error.http_status)
        return refusals.StripeKeyRefused("The payment provider does not accept our key.")
    param = getattr(error, "param", None)
    log.error("Stripe refused (%s, %s, %s), request %s", error.http_status, code, param, error.request_id)
    return refusals.StripeRefused("The payment provider turned the request down.", reason=code)


def _passing(error: stripe.StripeError) -> bool:
    """Whether the same request may fare better in a moment: their trouble, or one like it in progress."""
    return isinstance(error, stripe.APIError) and (error.http_status in (None, 409) or error.http_status >= 500)


def _declined(error: stripe.CardError, code: str) -> refusals.PaymentDeclined:
    told = error.json_body if isinstance(error.json_body, dict) else {}
    body = told.get("error") or {}
    decline = body.get("decline_code") or ""
    intent = (body.get("payment_intent") or {}).get("id", "")
    if "authentication_required" in (code, decline):
        kind: type[refusals.PaymentDeclined] = refusals.AuthenticationRequired
        detail = "The bank asks the customer to confirm the payment."
    else:
        kind, detail = refusals.CardDeclined, "The card was declined."
    return kind(detail, reason=code, decline_code=decline, payment_intent=intent)
