"""Middleware for people with a browser. Callers of the API have a key: they need no session and no messages.

What is named as Django's own is that, but for letting requests of the API pass. What protects every answer (security
headers, the check of the host, CSRF, from which API views are exempt) is not here and sees every request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from django.contrib.auth import middleware as auth
from django.contrib.messages import middleware as messages
from django.contrib.sessions import middleware as sessions
from django.http import HttpRequest, HttpResponse
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


class BackMiddleware:
    """Lets the browser's Back show the steps of a button again, and nothing of them once somebody has signed out.

    Django's admin forbids every page to be kept. What a POST answered cannot be shown again then: the browser shows an
    error instead. A step that says it is ``returnable`` is kept by the browser alone, and asked for anew but by Back.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request."""
        response = self.get_response(request)
        if request.META.get("florin.returnable") and response.status_code == HTTPStatus.OK:
            response.headers["Cache-Control"] = "private, no-cache"
        elif request.method == "POST" and request.path_info == "/admin/logout/":
            response.headers["Clear-Site-Data"] = '"cache"'
        return response


class MessageMiddleware(PastTheApi, messages.MessageMiddleware):
    pass
