"""Webhook endpoints: where events are sent, how that goes, and the buttons that change it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, TextFilter
from unfold.dataclasses import UnfoldAction

from billing.admin.endpoint_acts import ChangeEndpoint, ReplayFailed
from billing.admin.endpoint_forms import EndpointForm
from billing.admin.endpoint_verbs import EndpointVerbs
from billing.models import DeliveryStatus, EndpointStatus, WebhookDelivery, WebhookEndpoint
from billing.services import endpoints
from credits.admin import show
from credits.admin.asking import render
from credits.admin.buttons import button
from credits.admin.desk import Board, Tile, register
from credits.admin.lists import Bounded, as_uuid
from credits.admin.policies import ReadOnly
from credits.refusals import Refusal

COLOURS = {EndpointStatus.ACTIVE: "success", EndpointStatus.DISABLED: "danger", EndpointStatus.DELETED: "default"}
SALT = "billing.admin.endpoint"
LASTS_SECONDS = 3600


class OfOwner(TextFilter):  # type: ignore[misc]
    """The endpoints for one owner's events."""

    title = "account (external id)"
    parameter_name = "owner"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        text = (self.value() or "").replace("\0", "")
        return queryset.filter(owner=text) if text else queryset


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(EndpointVerbs, ReadOnly, Bounded, ModelAdmin):  # type: ignore[misc]
    """Every endpoint, newest first."""

    list_display = ("to", "whose", "state", "events", "oldest_waiting", "failures", "succeeded")
    list_display_links = ("to",)
    list_filter = (OfOwner, ("status", ChoicesDropdownFilter))
    search_fields = ("id",)
    search_help_text = "The exact id of an endpoint, or of its owner."
    ordering = ("-id",)
    actions_list = ("new_endpoint",)
    actions_detail = ("edit", "test", "rotate", "switch", "replay_failed", "delete_for_good")
    fields = (
        "to", "description", "whose", "events", "state", "status_reason", "disabled", "signs", "sent",
        "oldest_waiting", "failures", "fails_since", "tried_next", "succeeded", "created_by", "made", "id",
    )  # fmt: skip

    disabled = show.moment_of("disabled_at", "Disabled")
    # Annotated below.
    oldest_waiting = show.moment_of("waits", "Oldest waiting")
    succeeded = show.moment_of("last_success_at", "Last success")
    fails_since = show.moment_of("failing_since", "Failing since")
    made = show.moment_of("created_at", "Made")

    def get_readonly_fields(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> tuple[str, ...]:
        return self.fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        """Add ``waits``: when the oldest of what waits happened."""
        waiting = WebhookDelivery.objects.filter(endpoint=OuterRef("pk"), status=DeliveryStatus.PENDING)
        return WebhookEndpoint.objects.annotate(waits=Subquery(waiting.order_by("id").values("occurred_at")[:1]))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint], search_term: str
    ) -> tuple[QuerySet[WebhookEndpoint], bool]:
        term = search_term.strip().replace("\0", "")
        if not term:
            return queryset, False
        pk = as_uuid(term)
        return queryset.filter(pk=pk) if pk else queryset.filter(owner=term), False

    @admin.display(description="Address")
    def to(self, row: WebhookEndpoint) -> SafeString:
        return show.apart(row.url)

    @admin.display(description="Whose events")
    def whose(self, row: WebhookEndpoint) -> SafeString | str:
        return show.apart(row.owner) or "Everybody's"

    @admin.display(description="Status")
    def state(self, row: WebhookEndpoint) -> SafeString:
        if row.status == EndpointStatus.ACTIVE and row.failures:
            return show.badge("Fails", "warning")
        return show.badge(row.get_status_display(), COLOURS[EndpointStatus(row.status)])

    @admin.display(description="Events")
    def events(self, row: WebhookEndpoint) -> str:
        return ", ".join(each.removeprefix("evt.") for each in row.event_types) or "All"

    @admin.display(description="Next try")
    def tried_next(self, row: WebhookEndpoint) -> SafeString | str:
        return show.moment_tag(row.next_try_at) if row.failures and not row.disabled_at else show.EMPTY

    @admin.display(description="Signed with")
    def signs(self, row: WebhookEndpoint) -> SafeString | str:
        said = (
            (str(each), show.in_zone(f", until {show.utc(each.expires_at)}" if each.expires_at else ""))
            for each in endpoints.signing_secrets(row, timezone.now())
        )
        return format_html_join("", "{}{}<br>", said) or show.EMPTY

    @admin.display(description="Deliveries")
    def sent(self, row: WebhookEndpoint) -> SafeString:
        address = f"{reverse('admin:billing_webhookdelivery_changelist')}?{urlencode({'endpoint': row.pk})}"
        return format_html('<a class="f-link" href="{}">All of them</a>', address)

    def has_manage_webhookendpoint_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("billing.manage_webhookendpoint")

    def has_replay_webhookdelivery_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("billing.replay_webhookdelivery")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[UnfoldAction]:
        """Offer nothing for what is deleted."""
        offered: list[UnfoldAction] = super().get_actions_detail(request, object_id)
        pk = as_uuid(str(object_id))
        there = WebhookEndpoint.objects.exclude(status=EndpointStatus.DELETED)
        return offered if pk and there.filter(pk=pk).exists() else []

    @button("New endpoint", path="new", icon="add", permission="manage_webhookendpoint")
    def new_endpoint(self, request: HttpRequest) -> HttpResponse:
        """Make an endpoint and show its secret on the page that answers, which nothing stores.

        The form carries the endpoint's id, drawn and signed by the server, so that a second press makes no second one.
        """
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = EndpointForm(request.POST or None)
        pk = _drawn(request.POST.get("draft", ""))
        title, home = "New webhook endpoint", reverse("admin:billing_webhookendpoint_changelist")
        if request.method == "POST" and pk is not None and form.is_valid():
            try:
                with transaction.atomic():
                    row, secret = endpoints.make_endpoint(
                        **form.cleaned_data, created_by=request.user.get_username(), pk=pk
                    )  # fmt: skip
                    self.log_addition(request, row, f"Made {row} for {row.owner or 'everybody'}: {row.url}.")
            except IntegrityError:
                messages.info(request, "It was made before. Its secret was shown then and cannot be shown again.")
                return HttpResponseRedirect(home)
            except Refusal as refusal:
                form.add_error(getattr(refusal, "field", None), refusal.detail)
            else:
                return render(
                    self, request, "admin/billing/endpoint/secret.html", title="Endpoint made", row=row, secret=secret
                )
        draft = signing.dumps(str(pk or endpoints.new_id()), salt=SALT)
        shown = {"title": title, "form": form, "draft": draft, "back": home, "go": "Make it"}
        return render(self, request, "admin/billing/endpoint/form.html", **shown)

    @button("Change", path=ChangeEndpoint.path, icon="edit", permission="manage_webhookendpoint")
    def edit(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return ChangeEndpoint(self, request, object_id).answer()

    @button("Send again what failed", path=ReplayFailed.path, icon="replay", permission="replay_webhookdelivery")
    def replay_failed(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return ReplayFailed(self, request, object_id).answer()


def _drawn(draft: str) -> Any:
    """Return the id that a form was given, if it was given here and lately."""
    try:
        return as_uuid(str(signing.loads(draft, salt=SALT, max_age=LASTS_SECONDS)))
    except signing.BadSignature:
        return None


def disabled(request: HttpRequest) -> Iterator[Tile]:
    """Tell how many endpoints are disabled, and how many fail."""
    address = reverse("admin:billing_webhookendpoint_changelist")
    count = WebhookEndpoint.objects.filter(status=EndpointStatus.DISABLED).count()
    yield Tile("Webhook endpoints disabled", f"{count:,}", f"{address}?status__exact=disabled", "", alarm=bool(count))


register(Board("Work waiting", "billing.view_webhookendpoint", disabled, place=42))
