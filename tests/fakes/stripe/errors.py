"""What Stripe answers where it will not, in its words."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An error body with its status. ``kept``: the endpoint had begun, so a replay gets the same answer."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        decline_code: str | None = None,
        kept: bool = False,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status, self.kept, self.code, self.decline_code = status, kept, code, decline_code
        told = {"message": message, "type": kind, "code": code, "param": param, "decline_code": decline_code, **more}
        self.error = {name: value for name, value in told.items() if value is not None}
        if code:
            self.error["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"


def missing(noun: str, identity: str, param: str = "id", *, other_mode: str = "") -> ApiError:
    """Nothing of that id is known in this mode; ``other_mode`` names the mode that knows it."""
    text = f"No such {noun}: '{identity}'"
    if other_mode:
        mine = "test" if other_mode == "live" else "live"
        text += f"; a similar object exists in {other_mode} mode, but a {mine} mode key was used to make this request."
    # Only the address itself being unknown is a 404; what a parameter names is the caller's mistake.
    return ApiError(text, status=404 if param == "id" else 400, code="resource_missing", param=param)


def required(param: str) -> ApiError:
    return ApiError(f"Missing required param: {param}.", code="parameter_missing", param=param)


def invalid(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    return ApiError(message, param=param, code=code)


def unknown(names: list[str]) -> ApiError:
    listed = ", ".join(names)
    return ApiError(f"Received unknown parameter: {listed}", code="parameter_unknown", param=names[0])


def bad_key(key: str) -> ApiError:
    shown = f"{key[:8]}{'*' * 12}{key[-4:]}" if key else ""
    text = f"Invalid API Key provided: {shown}" if key else "You did not provide an API key."
    return ApiError(text, status=401)


def other_request(key: str) -> ApiError:
    text = "Keys for idempotent requests can only be used with the same parameters they were first used with."
    text += f" Try using a key other than '{key}' if you meant to execute a different request."
    return ApiError(text, kind="idempotency_error")


def in_use(key: str) -> ApiError:
    text = "There is currently another in-progress request using this Idempotent Key (that probably means you"
    text += f" submitted twice, and the other request is still going through): {key}. Please try again later."
    return ApiError(text, status=409, kind="idempotency_error", code="idempotency_key_in_use")


def declined(decline_code: str, charge: str | None) -> ApiError:
    """A card that says no: ``authentication_required`` and ``expired_card`` are codes of their own."""
    own = decline_code in {"authentication_required", "expired_card"}
    text = {
        "insufficient_funds": "Your card has insufficient funds.",
        "authentication_required": "Your card was declined. This transaction requires authentication.",
        "expired_card": "Your card has expired.",
    }.get(decline_code, "Your card was declined.")
    code = decline_code if own else "card_declined"
    decline = None if decline_code == "expired_card" else decline_code
    return ApiError(text, status=402, kind="card_error", code=code, decline_code=decline, charge=charge, kept=True)
