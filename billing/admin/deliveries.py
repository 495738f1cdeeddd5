"""Webhook deliveries: what was sent where, every try of it, and the buttons that send again or give up."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, TextFilter

from billing.models import DeliveryStatus, WebhookDelivery, WebhookEndpoint
from billing.services import replays
from billing.tasks import nudge_news
from credits.admin import show
from credits.admin.asking import ask
from credits.admin.buttons import button
from credits.admin.lists import Bounded, Days, as_uuid
from credits.admin.policies import ReadOnly

COLOURS = {DeliveryStatus.PENDING: "info", DeliveryStatus.DELIVERED: "success", DeliveryStatus.FAILED: "danger"}
REPLAY = (
    "It is sent again as it was, under the same id, before those that wait. A receiver that took it before can tell."
)
GIVE_UP = "It has failed then, and those behind it go on. It can be replayed later."


class OfEndpoint(TextFilter):  # type: ignore[misc]
    title = "endpoint (id)"
    parameter_name = "endpoint"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        pk = as_uuid(self.value())
        return queryset.filter(endpoint_id=pk) if pk else queryset.none()


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnly, Bounded, ModelAdmin):  # type: ignore[misc]
    """Every delivery that is kept, newest first."""

    list_display = ("made", "type", "to", "state", "age", "attempts", "answer", "error")
    list_display_links = ("made",)
    list_select_related = ("endpoint",)
    list_filter = (OfEndpoint, ("status", ChoicesDropdownFilter), ("occurred_at", Days))
    search_fields = ("message_id",)
    search_help_text = "The exact id that was sent: evt_123."
    ordering = ("-id",)
    actions_detail = ("replay", "give_up")
    fields = (
        "type", "message_id", "to", "state", "age", "attempts", "answer", "error", "said", "took",
        "every_try", "happened", "made", "last_try", "tried_until_then", "done", "what_is_sent",
    )  # fmt: skip

    said = show.text_of("excerpt", "What it answered")
    happened = show.moment_of("occurred_at", "Happened")
    made = show.moment_of("created_at", "Made")
    last_try = show.moment_of("last_try_at", "Last try")
    tried_until_then = show.moment_of("tried_until", "Tried until")
    done = show.moment_of("done_at", "Done")

    def get_readonly_fields(self, request: HttpRequest, obj: WebhookDelivery | None = None) -> tuple[str, ...]:
        return self.fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookDelivery]:
        return WebhookDelivery.objects.select_related("endpoint")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[WebhookDelivery], search_term: str
    ) -> tuple[QuerySet[WebhookDelivery], bool]:
        term = search_term.strip().replace("\0", "")
        return (queryset.filter(message_id=term) if term else queryset), False

    @admin.display(description="Endpoint")
    def to(self, row: WebhookDelivery) -> SafeString:
        return show.link(WebhookEndpoint, row.endpoint_id, str(row.endpoint))

    @admin.display(description="Status")
    def state(self, row: WebhookDelivery) -> SafeString:
        return show.badge(row.get_status_display(), COLOURS[DeliveryStatus(row.status)])

    @admin.display(description="Took")
    def took(self, row: WebhookDelivery) -> str:
        return f"{row.milliseconds:,} ms" if row.milliseconds is not None else show.EMPTY

    @admin.display(description="Took, or waits")
    def age(self, row: WebhookDelivery) -> str:
        return timesince(row.occurred_at, row.done_at or timezone.now(), depth=1)

    @admin.display(description="Tries")
    def every_try(self, row: WebhookDelivery) -> SafeString | str:
        said = (
            (each.number, show.moment_tag(each.at), each.answer or "no answer", f"{each.milliseconds:,} ms", each.error)
            for each in row.tries.order_by("-number")[:50]
        )
        return format_html_join("", "{} · {} · {} · {} · {}<br>", said) or show.EMPTY

    @admin.display(description="What is sent")
    def what_is_sent(self, row: WebhookDelivery) -> SafeString:
        return format_html('<pre class="f-notes">{}</pre>', row.body)

    def has_replay_webhookdelivery_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("billing.replay_webhookdelivery")

    @button("Replay", path="replay", icon="replay", permission="replay_webhookdelivery")
    def replay(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then let it be sent again."""
        row = self._row(request, object_id)
        home = show.page_of(WebhookDelivery, row.pk)
        if request.method != "POST":
            return ask(self, request, title="Replay the delivery", explained=REPLAY, back=home)
        with transaction.atomic():
            again = replays.replay_delivery(row)
            if again:
                self.log_change(request, row, f"Replayed {row}.")
                transaction.on_commit(nudge_news)
        if again:
            messages.success(request, "It is sent again in a moment, if its endpoint is enabled.")
        else:
            messages.warning(request, "It waits to be sent already.")
        return HttpResponseRedirect(home)

    @button("Give up", path="give-up", icon="cancel", permission="replay_webhookdelivery", danger=True)
    def give_up(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then let it have failed."""
        row = self._row(request, object_id)
        home = show.page_of(WebhookDelivery, row.pk)
        if request.method != "POST":
            return ask(self, request, title="Give the delivery up", explained=GIVE_UP, back=home)
        with transaction.atomic():
            given_up = replays.give_up_delivery(row)
            if given_up:
                self.log_change(request, row, f"Gave up {row}.")
                transaction.on_commit(nudge_news)
        if given_up:
            messages.success(request, "It is given up. Those behind it go on.")
        else:
            messages.warning(request, "It does not wait any more.")
        return HttpResponseRedirect(home)

    def _row(self, request: HttpRequest, object_id: str) -> WebhookDelivery:
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404("There is no such delivery.")
        found: WebhookDelivery = row
        return found
