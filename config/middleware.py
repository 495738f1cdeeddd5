"""Middleware for people with a browser. Callers of the API have a key: they need no session and no messages.

Each of these is Django's own but for letting requests of the API pass. What protects every answer (security headers,
the check of the host, CSRF, from which API views are exempt) is not here and sees every request.
"""

from __future__ import annotations

from collections.abc import Awaitable

from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.deprecation import MiddlewareMixin


class PastTheApi(MiddlewareMixin):
    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Pass a request of the API straight on."""
        if request.path_info.startswith("/api/v1/"):
            return self.get_response(request)
        return super().__call__(request)


class SessionMiddleware(PastTheApi, sessions.SessionMiddleware):
    pass


class AuthenticationMiddleware(PastTheApi, auth.AuthenticationMiddleware):
    pass


class MessageMiddleware(PastTheApi, messages.MessageMiddleware):
    pass
