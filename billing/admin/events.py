"""What the provider told: each webhook, what became of it, what it is still worth, and buttons that replay it."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter

from billing.admin import abouts, words
from billing.admin.masking import masked
from billing.admin.verdicts import age, badge_of, is_retried, reason, stale_among, verdict
from billing.models import EventState, ProviderEvent
from billing.queries import retried_events
from billing.services import inbox
from billing.tasks import nudge
from credits.admin import show
from credits.admin.buttons import button
from credits.admin.lists import Bounded, Days
from credits.admin.logged import actor_of, request_id
from credits.admin.policies import ReadOnly
from credits.services.staff import Told, record_act

MOST_AT_ONCE, SHOWN = 500, 20


class AgainFilter(DropdownFilter):  # type: ignore[misc]
    """Those that could not be processed yet, as the front page counts them."""

    title = "tried again"
    parameter_name = "again"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Met an error, tried again")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ProviderEvent]) -> QuerySet[ProviderEvent]:
        return queryset & retried_events() if self.value() == "yes" else queryset


@admin.register(ProviderEvent)
class ProviderEventAdmin(ReadOnly, Bounded, ModelAdmin):  # type: ignore[misc]
    """Every event, newest first."""

    list_display = ("came", "kind_and_amount", "what_became", "whose", "old_and_tries", "why")
    list_display_links = ("came", "kind_and_amount")
    list_filter = (("state", ChoicesDropdownFilter), AgainFilter, "source", ("received_at", Days))
    search_fields = ("event_id", "subject")
    search_help_text = "The exact id of an event, or of a payment, subscription or customer."
    ordering = ("-id",)
    actions = ("replay_selected",)
    actions_detail = ("replay",)
    fields = (
        "kind", "what_became", "owner", "what_about", "figure", "told_why", "next_try", "worth", "old", "tries",
        "happened", "came", "done", "number", "source", "mode", "logged", "as_it_came",
    )  # fmt: skip
    happened = show.moment_of("created_at", "Happened")
    mode = words.mode
    logged = show.text_of("error", "Why, as logged")
    next_try = show.moment_of("next_try_at", "Next try")
    done = show.moment_of("done_at", "Done")

    def get_readonly_fields(self, request: HttpRequest, obj: ProviderEvent | None = None) -> tuple[str, ...]:
        return self.fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProviderEvent]:
        return abouts.with_owner(ProviderEvent.objects.all())

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

    @admin.display(description="Type")
    def kind(self, row: ProviderEvent) -> str:
        return row.type

    @admin.display(description="Type, and amount")
    def kind_and_amount(self, row: ProviderEvent) -> SafeString:
        return format_html('<div>{}<div class="f-small">{}</div></div>', row.type, abouts.money_of(row))

    @admin.display(description="State")
    def what_became(self, row: ProviderEvent) -> SafeString:
        if row.state != EventState.PARKED and not is_retried(row):
            return badge_of(row)
        return format_html('{}<div class="f-small">next {}</div>', badge_of(row), show.moment_tag(row.next_try_at))

    @admin.display(description="Account")
    def owner(self, row: ProviderEvent) -> SafeString | str:
        return abouts.owner_of(row)

    @admin.display(description="Account, and about")
    def whose(self, row: ProviderEvent) -> SafeString:
        return format_html('<div>{}<div class="f-small">{}</div></div>', abouts.owner_of(row), row.subject)

    @admin.display(description="About")
    def what_about(self, row: ProviderEvent) -> SafeString | str:
        return abouts.about(row)

    @admin.display(description="Amount")
    def figure(self, row: ProviderEvent) -> str:
        return abouts.money_of(row) or show.EMPTY

    @admin.display(description="Tries")
    def tries(self, row: ProviderEvent) -> str:
        return f"{row.attempts:,}"

    @admin.display(description="Event")
    def number(self, row: ProviderEvent) -> str:
        return row.event_id

    @admin.display(description="Age")
    def old(self, row: ProviderEvent) -> str:
        return age(row)

    @admin.display(description="Age")
    def old_and_tries(self, row: ProviderEvent) -> SafeString:
        tries = f"{row.attempts:,} {'try' if row.attempts == 1 else 'tries'}"
        return format_html('<div class="f-nowrap">{}<div class="f-small">{}</div></div>', age(row), tries)

    @admin.display(description="Why")
    def why(self, row: ProviderEvent) -> SafeString | str:
        words = reason(row)
        return format_html('<span class="f-clip" title="{}">{}</span>', words[:500], words[:120] or show.EMPTY)

    @admin.display(description="Why")
    def told_why(self, row: ProviderEvent) -> str:
        return reason(row) or show.EMPTY

    @admin.display(description="Verdict")
    def worth(self, row: ProviderEvent) -> SafeString | str:
        return verdict(row)

    @admin.display(description="As it came, secrets masked")
    def as_it_came(self, row: ProviderEvent) -> SafeString:
        words = json.dumps(masked(row.payload), indent=2, ensure_ascii=False)
        return format_html('<pre class="f-notes">{}</pre>', words)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Offer to replay several to those who may replay one. Nothing of the ledger is selected here."""
        return ModelAdmin.get_actions(self, request) if self.has_replay_providerevent_permission(request) else {}

    @admin.action(description="Replay the selected", permissions=["replay_providerevent"])
    def replay_selected(self, request: HttpRequest, rows: QuerySet[ProviderEvent]) -> HttpResponse | None:
        """Ask, then let the selected be processed again, one by one, oldest first."""
        events = rows.defer("payload").order_by("id")[:MOST_AT_ONCE]
        if "confirm" not in request.POST:
            title = f"Replay {len(events):,} webhooks"
            common = {**self.admin_site.each_context(request), "title": title, "opts": self.opts}
            return TemplateResponse(
                request,
                "admin/billing/providerevent/replay.html",
                {
                    **common,
                    "events": events,
                    "told": [(row, reason(row)) for row in events[:SHOWN]],
                    "stale": stale_among(events),
                    "back": reverse("admin:billing_providerevent_changelist"),
                },
            )
        again = sum(self._replay(request, row) for row in events)
        messages.success(request, f"{again:,} of {len(events):,} are processed again in a moment.")
        return None

    def _replay(self, request: HttpRequest, row: ProviderEvent) -> bool:
        """Let one be processed again, and keep who wanted it. Returns False for one that is being processed."""
        with transaction.atomic():
            again = inbox.replay(row)
            if again:
                told = Told(
                    account=getattr(row, "owner_id", None),
                    subject=f"Webhook {row.event_id}",
                    before={"State": row.get_state_display(), "Why": reason(row)[:200]},
                    after={"State": EventState.RECEIVED.label},
                    request_id=request_id(request),
                )
                record_act(actor=actor_of(request), action="replay", what=f"Replayed {row}.", told=told)
                transaction.on_commit(nudge)
        return again

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
            common = {**self.admin_site.each_context(request), "title": "Replay the webhook", "opts": self.opts}
            back, whose = show.page_of(ProviderEvent, row.pk), abouts.owner_of(row)
            page = {**common, "row": row, "worth": verdict(row), "whose": whose, "why": reason(row), "back": back}
            return TemplateResponse(request, "admin/billing/providerevent/replay.html", page)
        if request.method != "POST":
            return HttpResponseNotAllowed(["GET", "POST"])
        if self._replay(request, row):
            messages.success(request, "It is processed again in a moment.")
        else:
            messages.warning(request, "It is being processed just now.")
        return HttpResponseRedirect(show.page_of(ProviderEvent, row.pk))
