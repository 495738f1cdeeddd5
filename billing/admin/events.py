"""What the provider told: each webhook, what became of it, and a button that lets it be processed again."""

from __future__ import annotations

import json

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from billing.models import EventState, ProviderEvent
from billing.services import inbox
from billing.tasks import nudge
from credits.admin import show
from credits.admin.buttons import button
from credits.admin.lists import Bounded
from credits.admin.policies import ReadOnly

COLOURS = {
    EventState.RECEIVED: "info",
    EventState.PROCESSING: "info",
    EventState.DONE: "success",
    EventState.PARKED: "warning",
    EventState.FAILED: "danger",
    EventState.IGNORED: "default",
}


@admin.register(ProviderEvent)
class ProviderEventAdmin(ReadOnly, Bounded, ModelAdmin):  # type: ignore[misc]
    """Every event, newest first."""

    list_display = ("came", "type", "what_became", "subject", "attempts", "why")
    list_display_links = ("came", "type")
    list_filter = (("state", ChoicesDropdownFilter), "source")
    search_fields = ("event_id", "subject")
    search_help_text = "The exact id of an event, or of a payment, subscription or customer."
    ordering = ("-id",)
    actions_detail = ("replay",)
    fields = (
        "event_id", "type", "what_became", "subject", "livemode", "source", "attempts", "error", "created_at",
        "received_at", "next_try_at", "done_at", "as_it_came",
    )  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: ProviderEvent | None = None) -> tuple[str, ...]:
        return self.fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProviderEvent]:
        return ProviderEvent.objects.all()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ProviderEvent], search_term: str
    ) -> tuple[QuerySet[ProviderEvent], bool]:
        term = search_term.strip().replace("\0", "")
        if not search_term.strip():
            return queryset, False
        return (queryset.filter(event_id=term) if term.startswith("evt_") else queryset.filter(subject=term)), False

    @admin.display(description="Came")
    def came(self, row: ProviderEvent) -> SafeString | str:
        return show.moment_tag(row.received_at)

    @admin.display(description="State")
    def what_became(self, row: ProviderEvent) -> SafeString:
        return show.badge(row.get_state_display(), COLOURS[EventState(row.state)])

    @admin.display(description="Why")
    def why(self, row: ProviderEvent) -> str:
        return row.error[:80] or show.EMPTY

    @admin.display(description="As it came")
    def as_it_came(self, row: ProviderEvent) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(row.payload, indent=2, ensure_ascii=False))

    def has_replay_providerevent_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("billing.replay_providerevent")

    @button("Replay", path="replay", icon="replay", permission="replay_providerevent")
    def replay(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then let an event be processed again: what is so is looked up anew, what applies changes nothing."""
        row = self.get_object(request, object_id)
        if row is None:
            answer: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
            return answer
        if request.method == "GET":
            common = {**self.admin_site.each_context(request), "title": "Replay the event", "opts": self.opts}
            return TemplateResponse(request, "admin/billing/providerevent/replay.html", {**common, "row": row})
        if request.method != "POST":
            return HttpResponseNotAllowed(["GET", "POST"])
        with transaction.atomic():
            again = inbox.replay(row)
            if again:
                self.log_change(request, row, f"Replayed {row}.")
                transaction.on_commit(nudge)
        if again:
            messages.success(request, "It is processed again in a moment.")
        else:
            messages.warning(request, "It is being processed just now.")
        return HttpResponseRedirect(show.page_of(ProviderEvent, row.pk))
