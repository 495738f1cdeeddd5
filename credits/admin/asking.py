"""Pages that ask whether something without a form shall be done."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse

# What a switch is to be put to: what its page said, and not the contrary of what it is by the time it is pressed.
ON, OFF = "on", "off"


def ask(admin: Any, request: HttpRequest, *, title: str, explained: str, back: str, to: str = "") -> HttpResponse:
    """Answer anything but a POST: show the page that asks. ``to`` comes back with the POST."""
    if request.method != "GET":
        return HttpResponseNotAllowed(["GET", "POST"])
    return render(admin, request, "admin/credits/ask.html", title=title, explained=explained, back=back, to=to)


def render(admin: Any, request: HttpRequest, template: str, **context: Any) -> HttpResponse:
    """Render a page of the admin, which no cache may keep."""
    request.current_app = admin.admin_site.name
    answer = TemplateResponse(
        request, template, {**admin.admin_site.each_context(request), "opts": admin.opts, **context}
    )
    answer["Cache-Control"] = "no-store"
    return answer
