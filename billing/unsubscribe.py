"""The page that a letter's link leads to. Looking at it changes nothing: mail programs open links by themselves."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from billing.services import notices


# A mail program that unsubscribes by one click (RFC 8058) has no cookie of ours; who holds the signed link may.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, token: str) -> HttpResponse:
    """Show a button; pressed, the address gets no more letters about its account, or gets them again."""
    address = notices.address_of(token)
    if address is None:
        raise Http404
    if request.method == "POST":
        notices.subscribe(address, wanted=request.POST.get("again") == "yes")
        address.refresh_from_db()
    answer = TemplateResponse(request, "unsubscribe.html", {"address": address, "account": address.account})
    answer["Cache-Control"] = "no-store"
    answer["Referrer-Policy"] = "no-referrer"
    return answer
