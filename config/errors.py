"""What is answered where no view is: problem details to callers of the API, Django's pages to people."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Permission
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views import defaults

from credits.refusals import problem

# Which right the admin's own pages of a model take.
VERBS = {"changelist": "view", "change": "view", "history": "view"}
MEDIA_TYPE = "application/problem+json"


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a 404."""
    if _is_staff(request):
        return _desk(request, HTTPStatus.NOT_FOUND, title="Nothing is here")
    if not _from_a_program(request):
        return defaults.page_not_found(request, exception)
    body = problem(404, "not_found", "There is nothing here.", "There is nothing at this address.")
    return JsonResponse(body, status=404, content_type=MEDIA_TYPE)


def refused(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a 403: tell staff which right is missing, as far as that is known, and who has it."""
    if not _is_staff(request):
        return defaults.permission_denied(request, exception)
    right = _missing(request, str(exception))
    roles = list(right.group_set.order_by("name").values_list("name", flat=True)) if right else []
    return _desk(
        request,
        HTTPStatus.FORBIDDEN,
        title="Not for your role",
        refused=True,
        right=right,
        roles=" and ".join(filter(None, (", ".join(roles[:-1]), *roles[-1:]))),
        roles_count=len(roles),
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a 400: a request that Django itself refused to read."""
    if not _from_a_program(request):
        return defaults.bad_request(request, exception)
    body = problem(400, "invalid", "The request is not valid.", "The request could not be read.")
    return JsonResponse(body, status=400, content_type=MEDIA_TYPE)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a 500, telling nothing of its cause. With an Idempotency-Key it is safe to try again."""
    if not _from_a_program(request):
        return defaults.server_error(request)
    body = problem(500, "error", "Something went wrong.", "It was logged under the X-Request-ID of this answer.")
    return JsonResponse(body, status=500, content_type=MEDIA_TYPE)


def _desk(request: HttpRequest, status: HTTPStatus, **context: Any) -> HttpResponse:
    """Render a page in the desk's own frame."""
    request.current_app = admin.site.name
    answer = render(request, "admin/nowhere.html", {**admin.site.each_context(request), **context}, status=status)
    answer["Cache-Control"] = "no-store"
    return answer


def _missing(request: HttpRequest, named: str) -> Permission | None:
    """Return the right that a page takes: the one it was refused for by name, or that of a list, page or form."""
    app, _, codename = named.partition(".")
    if not codename and request.resolver_match is not None:
        app, _, rest = (request.resolver_match.url_name or "").partition("_")
        model, _, page = rest.rpartition("_")
        codename = f"{VERBS.get(page, page)}_{model}"
    right = Permission.objects.filter(content_type__app_label=app, codename=codename).first()
    return None if right is not None and request.user.has_perm(f"{app}.{codename}") else right


def _is_staff(request: HttpRequest) -> bool:
    user = getattr(request, "user", None)
    return request.path.startswith("/admin/") and user is not None and user.is_active and user.is_staff


def _from_a_program(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")
