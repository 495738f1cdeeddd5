"""What every view of the API shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from credits.models import Scope

RATE_HEADERS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


class ApiViewSet(GenericViewSet[Any]):
    """A resource. ``scopes`` names the scope that each action needs; reading needs ``credits:read``."""

    scopes: ClassVar[Mapping[str, Scope]] = {}
    lookup_value_regex = ".+"

    def scope_for(self, request: Request) -> str:
        """Return the scope that the request needs."""
        return str(self.scopes.get(self.action or "", Scope.CREDITS_READ))

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Tell a caller that has a rate limit how much of it is left."""
        final = super().finalize_response(request, response, *args, **kwargs)
        for name, value in zip(RATE_HEADERS, getattr(request._request, "rate_limit", ()), strict=False):
            final[name] = str(value)
        return final

    def answer_page(self, rows: Any, show: Any) -> Response:
        """Answer with a page of rows, each as ``show`` prints it."""
        page = self.paginate_queryset(rows)
        return self.get_paginated_response([show(row) for row in page or []])
