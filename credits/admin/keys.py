"""API keys: made, shown once, revoked."""

from __future__ import annotations

import re
import secrets
from typing import Any

from django.contrib import admin, messages
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import DropdownFilter
from unfold.dataclasses import UnfoldAction

from credits.admin import show
from credits.admin.buttons import button
from credits.admin.forms import KeyForm
from credits.admin.lists import Bounded
from credits.admin.policies import ReadOnly
from credits.models import ApiKey, Scope
from credits.services import keys

SALT = "credits.admin.key"
LASTS_SECONDS = 3600


class State(DropdownFilter):  # type: ignore[misc]
    """Whether the key lets anybody in."""

    title = "status"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("active", "Active"), ("revoked", "Revoked"), ("expired", "Expired")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
        expired = Q(expires_at__lte=timezone.now())
        match self.value():
            case "active":
                return queryset.filter(~expired | Q(expires_at=None), revoked_at=None)
            case "revoked":
                return queryset.exclude(revoked_at=None)
            case "expired":
                return queryset.filter(expired, revoked_at=None)
        return queryset


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnly, Bounded, ModelAdmin):  # type: ignore[misc]
    """A key is made and revoked, and never changed in between: what it may do is fixed when somebody gets it."""

    list_display = ("called", "whose", "prefix", "may", "state", "used", "made", "created_by")
    list_filter = (State,)
    search_fields = ("name", "owner", "prefix")
    fieldsets = (
        (None, {"fields": ("name", "owner", "prefix", "state", "may")}),
        ("Limits", {"fields": ("limit", "expires")}),
        ("Use", {"fields": ("used", "made", "created_by", "revoked")}),
    )
    actions_detail = ("revoke",)

    called = show.text_of("name", "Name")
    whose = show.text_of("owner", "Owner")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever has the permission may make keys."""
        return request.user.has_perm("credits.add_apikey")

    def has_revoke_apikey_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whoever has the permission may revoke keys."""
        return request.user.has_perm("credits.revoke_apikey")

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        return [name for _, page in self.fieldsets for name in page["fields"]]

    @admin.display(description="May")
    def may(self, row: ApiKey) -> str:
        return "everything" if set(row.scopes) == set(Scope.values) else ", ".join(row.scopes)

    @admin.display(description="Status")
    def state(self, row: ApiKey) -> SafeString:
        if row.revoked_at:
            return show.badge("Revoked", "danger")
        lapsed = row.expires_at is not None and row.expires_at <= timezone.now()
        return show.badge("Expired", "warning") if lapsed else show.badge("Active", "success")

    @admin.display(description="Requests a minute")
    def limit(self, row: ApiKey) -> str:
        return f"{row.rate_limit:,}" if row.rate_limit else "The setting's"

    @admin.display(description="Expires")
    def expires(self, row: ApiKey) -> SafeString | str:
        return show.moment_tag(row.expires_at) if row.expires_at else "Never"

    @admin.display(description="Last used")
    def used(self, row: ApiKey) -> SafeString | str:
        return show.moment_tag(row.last_used_at) if row.last_used_at else "Never"

    @admin.display(description="Made")
    def made(self, row: ApiKey) -> SafeString | str:
        return show.moment_tag(row.created_at)

    @admin.display(description="Revoked")
    def revoked(self, row: ApiKey) -> SafeString | str:
        return show.moment_tag(row.revoked_at)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Make a key and show it on the page that answers, which nothing stores and no cache may keep.

        The form carries the key's prefix, drawn and signed by the server. A second press of the button finds the prefix
        taken, so it makes no second key.
        """
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = KeyForm(request.POST or None)
        prefix = _prefix_in(request.POST.get("draft", ""))
        if request.method != "POST" or prefix is None or not form.is_valid():
            return self._page(request, "add", form=form, draft=signing.dumps(prefix or _new_prefix(), salt=SALT))
        try:
            with transaction.atomic():
                row, key = keys.create_api_key(
                    **form.cleaned_data,
                    created_by=request.user.get_username(),
                    key=f"{prefix}_{secrets.token_urlsafe(32)}",
                )
                self.log_addition(request, row, f"Made {row} for {row.owner}: {self.may(row)}.")
        except IntegrityError:
            messages.info(request, "This key was made before. It was shown then and cannot be shown again.")
            return HttpResponseRedirect(reverse("admin:credits_apikey_changelist"))
        return self._page(request, "made", key=key, row=row, may=self.may(row))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[UnfoldAction]:
        """Offer to revoke what is not revoked."""
        offered: list[UnfoldAction] = super().get_actions_detail(request, object_id)
        row = self.get_object(request, object_id)
        return offered if row is not None and row.revoked_at is None else []

    @button("Revoke", path="revoke", icon="block", permission="revoke_apikey", danger=True)
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then stop the key for ever. Twice does no more than once."""
        row = self.get_object(request, object_id)
        if row is None:
            answer: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
            return answer
        if request.method == "GET":
            return self._page(request, "revoke", row=row)
        if request.method != "POST":
            return HttpResponseNotAllowed(["GET", "POST"])
        if row.revoked_at is None:
            with transaction.atomic():
                keys.revoke_api_key(key=row)
                self.log_change(request, row, f"Revoked {row}.")
        messages.success(request, f"{row} is revoked. It is refused everywhere within a second.")
        return HttpResponseRedirect(show.page_of(ApiKey, row.pk))

    def _page(self, request: HttpRequest, name: str, **context: Any) -> HttpResponse:
        request.current_app = self.admin_site.name
        titles = {"add": "Make an API key", "made": "API key made", "revoke": "Revoke the API key"}
        common = {**self.admin_site.each_context(request), "title": titles[name], "opts": self.opts}
        return TemplateResponse(request, f"admin/credits/apikey/{name}.html", {**common, **context})


def _new_prefix() -> str:
    return f"flr_{''.join(secrets.choice(keys.ALPHABET) for _ in range(8))}"


def _prefix_in(draft: str) -> str | None:
    """Return the prefix that a form was given, if it was given here and lately."""
    try:
        prefix = signing.loads(draft, salt=SALT, max_age=LASTS_SECONDS)
    except signing.BadSignature:
        return None
    return prefix if isinstance(prefix, str) and re.fullmatch(r"flr_[a-z0-9]{8}", prefix) else None
