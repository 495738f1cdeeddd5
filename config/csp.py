"""Which code a browser may run on our pages. Nothing is loaded from outside, anywhere.

The admin's own scripts are built on Alpine, which evaluates attributes of its templates: unsafe-eval, for them alone.
Inline scripts run nowhere but in the documentation of the API, whose page sets Swagger up with one.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

STRICT = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
ADMIN = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'"
)
DOCS = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
LETTERS = STRICT.replace("form-action 'none'", "form-action 'self'")
POLICIES = (("/unsubscribe/", LETTERS), ("/admin/", ADMIN), ("/api/docs", DOCS), ("/api/redoc", DOCS))


class ContentSecurityPolicyMiddleware:
    """Says in each answer what its page may do."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request."""
        response = self.get_response(request)
        policy = next((each for start, each in POLICIES if request.path_info.startswith(start)), STRICT)
        response.headers.setdefault("Content-Security-Policy", policy)
        return response
