"""Who calls: an API key, as a Bearer token or in X-API-Key, and what it may do."""

from __future__ import annotations

from typing import Any, cast

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from structlog.contextvars import bind_contextvars

from credits.services.keys import Caller, recognise

CHALLENGE = 'Bearer realm="florin"'


class ApiKeyAuthentication(BaseAuthentication):
    """Recognises the caller's key. Every failure reads the same, so that it tells nothing about keys."""

    def authenticate(self, request: Request) -> tuple[None, Caller] | None:
        """Return the caller, or None without a key. Raises AuthenticationFailed for one that is no good."""
        key = presented_key(request)
        if key is None:
            return None
        caller = recognise(key)
        if caller is None:
            raise AuthenticationFailed("The API key is not valid.", code="invalid_key")
        bind_contextvars(key=caller.prefix)
        return None, caller

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401."""
        return CHALLENGE


class HasScope(BasePermission):
    """Lets a caller in whose key has the scope that the view names for the method or action."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Tell whether the key suffices. Raises NotAuthenticated without one."""
        if request.auth is None:
            raise NotAuthenticated("Send an API key as a Bearer token or in X-API-Key.", code="no_key")
        scope = view.scope_for(request)
        if scope in cast(Caller, request.auth).scopes:
            return True
        raise PermissionDenied(f"The API key lacks the scope {scope}.", code="missing_scope")


def presented_key(request: Request) -> str | None:
    """Return the key a request carries, if it carries one."""
    header = request.META.get("HTTP_AUTHORIZATION", "")
    if header[:7].lower() == "bearer " and header[7:].strip():
        return str(header[7:].strip())
    return request.META.get("HTTP_X_API_KEY", "").strip() or None
