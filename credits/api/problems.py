"""Refusals and errors as RFC 9457 problem details: type, title, status, detail, code, and errors by field."""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

from credits import refusals
from credits.refusals import problem

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


class BodyTooLarge(exceptions.APIException):
    """A body larger than its address takes."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "body_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body may have at most {limit} bytes.")


def answer(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn whatever a view raised into a problem. DRF's exception handler."""
    set_rollback()
    headers: dict[str, str] = {}
    if isinstance(error, refusals.Refusal):
        body = error.told()
        if error.retry_after is not None:
            headers["Retry-After"] = str(error.retry_after)
    elif isinstance(error, exceptions.ValidationError):
        body = _of_validation(error)
    elif isinstance(error, Http404):
        body = problem(404, "not_found", "There is nothing here.", "There is nothing at this address.")
    elif isinstance(error, PermissionDenied):
        body = problem(403, "permission_denied", "You may not do this.", "You may not do this.")
    elif isinstance(error, exceptions.APIException):
        body = _of_api_exception(error, headers)
    elif isinstance(error, OperationalError | InterfaceError):
        log.error("The database could not be reached or gave up", exc_info=error)
        body = problem(
            503,
            "unavailable",
            "The service is busy.",
            "Send the same request again, with the same Idempotency-Key: it is done once.",
        )
        headers["Retry-After"] = "1"
    else:
        return None
    return Response(body, status=body["status"], headers=headers, content_type=MEDIA_TYPE)


def _of_validation(error: exceptions.ValidationError) -> dict[str, Any]:
    errors = error.detail if isinstance(error.detail, dict) else {"body": error.detail}
    first = next(iter(errors))
    said = errors[first]
    while isinstance(said, list | dict) and said:
        said = said[0] if isinstance(said, list) else next(iter(said.values()))
    return problem(400, "invalid", "The request is not valid.", f"{first}: {said}", errors=errors)


def _of_api_exception(error: exceptions.APIException, headers: dict[str, str]) -> dict[str, Any]:
    code = error.get_codes()
    if (challenge := getattr(error, "auth_header", None)) is not None:
        headers["WWW-Authenticate"] = challenge
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(int(wait) + 1)
    title = TITLES.get(error.status_code, "The request was refused.")
    return problem(error.status_code, str(code), title, str(error.detail))


TITLES = {
    400: "The request is not valid.",
    401: "An API key is needed.",
    403: "The API key may not do this.",
    404: "There is nothing here.",
    405: "This method is not allowed here.",
    413: "The body is too large.",
    415: "The body must be JSON.",
    429: "Too many requests.",
}
