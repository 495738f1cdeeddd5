"""Subscriptions at the provider's that nothing here follows: the clock ends them there, staff gives the money back."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from billing.admin import dashboard, words
from billing.models import StraySubscription
from billing.models.strays import StrayState
from credits.admin import show
from credits.admin.lists import Bounded, OfAccount
from credits.admin.policies import ReadOnly
from credits.models import Account

COLOURS = {StrayState.OPEN: "danger", StrayState.ENDED: "default", StrayState.FOLLOWED: "success"}


@admin.register(StraySubscription)
class StraySubscriptionAdmin(ReadOnly, Bounded, ModelAdmin):  # type: ignore[misc]
    """Every one there was, newest first."""

    list_display = ("found", "owner", "provider_id", "badge", "reason", "failure")
    list_display_links = ("found",)
    list_select_related = ("account",)
    list_before_template = "admin/credits/of_account.html"
    list_filter = (OfAccount, "state")
    search_fields = ("provider_id__exact",)
    search_help_text = "A subscription's id at Stripe: sub_…"
    ordering = ("-id",)
    fields = ("at_provider", "owner", "badge", "reason", "failure", "mode", "found", "ended")

    found = show.moment_of("found_at", "Found")
    mode = words.mode
    ended = show.moment_of("ended_at", "Settled")

    def get_readonly_fields(self, request: HttpRequest, obj: StraySubscription | None = None) -> tuple[str, ...]:
        return self.fields

    @admin.display(description="Account")
    def owner(self, row: StraySubscription) -> SafeString:
        return show.link(Account, row.account_id, row.account.external_id)

    @admin.display(description="State")
    def badge(self, row: StraySubscription) -> SafeString:
        return show.badge(row.get_state_display(), COLOURS[StrayState(row.state)])

    @admin.display(description="In Stripe's dashboard")
    def at_provider(self, row: StraySubscription) -> SafeString | str:
        at = dashboard.address("subscriptions", row.provider_id, livemode=row.livemode)
        return dashboard.link(at, row.provider_id)
