"""No text has a NUL character, and PostgreSQL takes none: a list of the admin that is asked for one says so.

An address of the admin that has one leads nowhere.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.deprecation import MiddlewareMixin

LIST = "_changelist"


class NulMiddleware(MiddlewareMixin):
    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """Refuse an address or a filter that has a NUL in it: nothing is looked up, and the other filters stay."""
        if "\0" in request.path_info and request.path_info.startswith("/admin/"):
            raise Http404("No address holds a NUL.")
        match = request.resolver_match
        if match is None or match.app_name != "admin" or not (match.url_name or "").endswith(LIST):
            return None
        asked = request.GET.copy()
        for name, values in request.GET.lists():
            if any("\0" in text for text in (name, *values)):
                del asked[name]
        if len(asked) == len(request.GET):
            return None
        messages.error(request, "A filter held a character that no text has. It was left out.")
        return HttpResponseRedirect(f"{request.path}?{asked.urlencode()}" if asked else request.path)
