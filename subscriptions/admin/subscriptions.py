"""Subscriptions and their history."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter

from credits.admin import show
from credits.admin.lists import Bounded, Days, OfAccount, as_uuid
from credits.admin.policies import ReadOnly
from credits.models import Account
from subscriptions.models import LIVE, Status, Subscription, SubscriptionChange

COLOURS = {
    Status.TRIALING: "info",
    Status.ACTIVE: "success",
    Status.PAST_DUE: "danger",
    Status.PAUSED: "warning",
    Status.CANCELED: "default",
}


class LiveFilter(DropdownFilter):  # type: ignore[misc]
    """Those that go on, as the front page counts them."""

    title = "going on"
    parameter_name = "live"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Not canceled")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> QuerySet[Subscription]:
        return queryset.filter(status__in=LIVE) if self.value() == "yes" else queryset


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnly, Bounded, ModelAdmin):  # type: ignore[misc]
    """Every subscription there was, newest first, as last written."""

    list_display = ("begun", "owner", "plan", "state", "period_ends", "what_next")
    list_display_links = ("begun",)
    list_select_related = ("account", "plan_version", "next_version")
    list_before_template = "admin/credits/of_account.html"
    list_filter = (OfAccount, ("status", ChoicesDropdownFilter), LiveFilter, "plan_version__plan", ("ended_at", Days))
    search_fields = ("id",)
    search_help_text = "The exact id of a subscription."
    ordering = ("-id",)
    fields = (
        "owner", "plan", "state", "period_begins", "period_ends", "what_next", "trial_ends", "grace_ends", "paused",
        "ended", "provider", "provider_reference", "time_zone", "steps", "id",
    )  # fmt: skip

    trial_ends = show.moment_of("trial_ends_at", "Trial ends")
    grace_ends = show.moment_of("grace_ends_at", "Grace ends")
    paused = show.moment_of("paused_at", "Paused")
    ended = show.moment_of("ended_at", "Ended")

    def get_readonly_fields(self, request: HttpRequest, obj: Subscription | None = None) -> tuple[str, ...]:
        return self.fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscription]:
        return Subscription.objects.select_related("account", "plan_version", "next_version")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Subscription], search_term: str
    ) -> tuple[QuerySet[Subscription], bool]:
        if not search_term.strip():
            return queryset, False
        pk = as_uuid(search_term)
        return (queryset.filter(pk=pk) if pk else queryset.none()), False

    @admin.display(description="Begun")
    def begun(self, row: Subscription) -> SafeString | str:
        return show.moment_tag(row.created_at)

    @admin.display(description="Account")
    def owner(self, row: Subscription) -> SafeString:
        return show.link(Account, row.account_id, row.account.external_id)

    @admin.display(description="Plan")
    def plan(self, row: Subscription) -> str:
        return str(row.plan_version)

    @admin.display(description="Status")
    def state(self, row: Subscription) -> SafeString:
        return show.badge(row.get_status_display(), COLOURS[Status(row.status)])

    @admin.display(description="Period began")
    def period_begins(self, row: Subscription) -> SafeString | str:
        return show.moment_tag(row.current_period_start)

    @admin.display(description="Period ends")
    def period_ends(self, row: Subscription) -> SafeString | str:
        return show.moment_tag(row.current_period_end)

    @admin.display(description="What comes next")
    def what_next(self, row: Subscription) -> str:
        if row.cancel_at_period_end:
            return "Ends with the period"
        return f"{row.next_version} with the next period" if row.next_version else show.EMPTY

    @admin.display(description="History")
    def steps(self, row: Subscription) -> SafeString | str:
        changes = SubscriptionChange.objects.filter(subscription=row).select_related("to_version")[:100]
        lines = [
            (
                show.moment_tag(each.at),
                each.get_verb_display(),
                each.to_version,
                each.get_to_status_display(),
                each.actor_name or each.get_actor_kind_display(),
                each.reason or " ".join(f"{name} {figure}" for name, figure in each.metadata.items()),
            )
            for each in changes
        ]
        return format_html_join("", "<div>{} · {} · {} · {} · {} · {}</div>", lines) or show.EMPTY
