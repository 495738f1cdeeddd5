"""X-Request-ID: every answer carries one, the caller's own where it sent a sane one."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from structlog.contextvars import bind_contextvars

SANE = re.compile(r"[A-Za-z0-9._:+/=-]{1,64}")


class RequestIdMiddleware:
    """Gives the request an id that movements, logs and the answer keep; and forgives a trailing slash on the API."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request."""
        sent = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = sent if SANE.fullmatch(sent) else uuid.uuid4().hex
        request.META["florin.request_id"] = request_id
        bind_contextvars(request_id=request_id)
        if request.path_info.endswith("/") and request.path_info.startswith(("/api/", "/health")):
            request.path_info = request.path_info.rstrip("/")
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response
