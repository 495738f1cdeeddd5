"""What is answered where no view is: problem details to callers of the API, Django's pages to people."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults

from credits.refusals import problem

MEDIA_TYPE = "application/problem+json"


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a 404."""
    if not _from_a_program(request):
        return defaults.page_not_found(request, exception)
    body = problem(404, "not_found", "There is nothing here.", "There is nothing at this address.")
    return JsonResponse(body, status=404, content_type=MEDIA_TYPE)


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


def _from_a_program(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")
