"""The second factor of staff: an authenticator's code, asked for before anything is changed.

Where SECOND_FACTOR is on, whoever is signed in by a password alone may look, as far as their role goes, but each POST
of the admin leads here. A code is good once; guesses are slowed down by the device itself. Ten recovery codes are shown
once, when a device is enrolled, and each opens the door once.
"""

from __future__ import annotations

import secrets
from base64 import b32encode
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

import qrcode
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from qrcode.image.svg import SvgPathImage
from unfold.widgets import UnfoldAdminTextInputWidget

from credits.admin.logged import actor_of, request_id
from credits.services.staff import Told, record_act

SESSION_KEY = "florin.second_factor"
SAFE = {"GET", "HEAD", "OPTIONS"}
RECOVERY_CODES = 10


class CodeForm(forms.Form):
    code = forms.CharField(
        max_length=16,
        help_text="The six digits that your authenticator shows, or a recovery code.",
        widget=UnfoldAdminTextInputWidget({"autocomplete": "one-time-code", "inputmode": "text", "autofocus": True}),
    )

    def clean_code(self) -> str:
        """Forgive blanks."""
        return "".join(self.cleaned_data["code"].split()).lower()


class SecondFactorMiddleware:
    """Lets nobody change anything in the admin by a password alone."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request, or lead to the page that asks for a code."""
        if not self._asks(request):
            return self.get_response(request)
        messages.warning(request, "Nothing was changed: a code from your authenticator comes first.")
        came_from = urlsplit(request.headers.get("Referer", ""))
        back = urlencode({"next": f"{came_from.path}?{came_from.query}".rstrip("?")}) if came_from.path else ""
        return HttpResponseRedirect(f"{reverse('second-factor')}?{back}".rstrip("?"))

    def _asks(self, request: HttpRequest) -> bool:
        if not settings.SECOND_FACTOR or request.method in SAFE or not request.path_info.startswith("/admin/"):
            return False
        if request.path_info in {reverse("second-factor"), reverse("admin:login"), reverse("admin:logout")}:
            return False
        return bool(request.user.is_authenticated) and not passed(request)


def passed(request: HttpRequest) -> bool:
    """Whether this session showed a code of a device that still is the user's."""
    device = request.session.get(SESSION_KEY)
    return device is not None and _devices(request).filter(pk=device, confirmed=True).exists()


def page(request: HttpRequest) -> HttpResponse:
    """Ask for a code; the first time, show the secret to an authenticator and then the recovery codes."""
    enrolled = _devices(request).filter(confirmed=True).exists()
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        codes = _enrol(request, form.cleaned_data["code"]) if not enrolled else []
        if codes:
            return _shown(request, "Your recovery codes", codes=codes, next=_next(request))
        if enrolled and _verify(request, form.cleaned_data["code"]):
            return HttpResponseRedirect(_next(request))
        record_act(
            actor=actor_of(request), action="second-factor-failed", what="Gave a wrong code.", told=_told(request)
        )
        form.add_error("code", "That is no code of yours, or it was used before. Wait for the next one.")
    secret = {} if enrolled else _secret(request)
    return _shown(request, "Second factor", form=form, next=_next(request), enrolled=enrolled, **secret)


def _devices(request: HttpRequest) -> Any:
    return TOTPDevice.objects.filter(user=request.user.pk)


def _secret(request: HttpRequest) -> dict[str, Any]:
    device, _ = _devices(request).get_or_create(
        confirmed=False, defaults={"user_id": request.user.pk, "name": "Florin"}
    )
    picture = qrcode.make(device.config_url, image_factory=SvgPathImage, border=2).to_string(encoding="unicode")
    # Ours from end to end: the library draws squares, and what was encoded is not in its text.
    return {"picture": SafeString(picture), "secret": b32encode(device.bin_key).decode()}


@transaction.atomic
def _enrol(request: HttpRequest, code: str) -> list[str]:
    """Confirm the new device by its first code. Returns the recovery codes, or nothing where the code is wrong."""
    device = _devices(request).select_for_update().filter(confirmed=False).first()
    if device is None or _devices(request).filter(confirmed=True).exists() or not device.verify_token(code):
        return []
    device.confirmed = True
    device.save(update_fields=["confirmed"])
    StaticDevice.objects.filter(user=request.user.pk).delete()
    spare = StaticDevice.objects.create(user_id=request.user.pk, name="Recovery codes", confirmed=True)
    codes = [secrets.token_hex(5) for _ in range(RECOVERY_CODES)]
    StaticToken.objects.bulk_create(StaticToken(device=spare, token=each) for each in codes)
    request.session[SESSION_KEY] = device.pk
    record_act(actor=actor_of(request), action="second-factor", what="Enrolled an authenticator.", told=_told(request))
    return codes


@transaction.atomic
def _verify(request: HttpRequest, code: str) -> bool:
    """Take a code, once. The rows are locked, so that it is not taken by two at once."""
    device = _devices(request).select_for_update().filter(confirmed=True).first()
    spare = StaticDevice.objects.select_for_update().filter(user=request.user.pk).first()
    if device is None:
        return False
    by_code = code.isdigit() and len(code) == device.digits
    if not (device.verify_token(code) if by_code else spare is not None and spare.verify_token(code)):
        return False
    request.session.cycle_key()
    request.session[SESSION_KEY] = device.pk
    what = "Gave a code." if by_code else "Used a recovery code."
    record_act(actor=actor_of(request), action="second-factor", what=what, told=_told(request))
    return True


def _told(request: HttpRequest) -> Told:
    return Told(request_id=request_id(request))


def _next(request: HttpRequest) -> str:
    asked = request.POST.get("next") or request.GET.get("next") or ""
    ours = url_has_allowed_host_and_scheme(asked, allowed_hosts=None) and asked.startswith("/admin/")
    return asked if ours else reverse("admin:index")


def _shown(request: HttpRequest, title: str, **context: Any) -> HttpResponse:
    request.current_app = admin.site.name
    common = {**admin.site.each_context(request), "title": title}
    answer = TemplateResponse(request, "admin/second_factor.html", {**common, **context})
    answer["Cache-Control"] = "no-store"
    return answer
