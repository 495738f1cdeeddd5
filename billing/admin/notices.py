"""Letters to owners: which went, which did not and why, and who wants none."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from billing.models import Notice, NoticeAddress, NoticeStatus
from credits.admin import show
from credits.admin.lists import Bounded, OfAccount
from credits.admin.policies import ReadOnly
from credits.models import Account

COLOURS = {NoticeStatus.PENDING: "info", NoticeStatus.SENT: "success", NoticeStatus.FAILED: "danger"}


@admin.register(Notice)
class NoticeAdmin(ReadOnly, Bounded, ModelAdmin):  # type: ignore[misc]
    """Every letter, newest first."""

    list_display = ("made", "owner", "kind", "email", "state", "error")
    list_display_links = ("made",)
    list_select_related = ("account",)
    list_before_template = "admin/credits/of_account.html"
    list_filter = (OfAccount, ("status", ChoicesDropdownFilter), ("kind", ChoicesDropdownFilter))
    ordering = ("-id",)
    fields = ("owner", "kind", "email", "state", "attempts", "error", "facts", "made", "sent", "next_try")

    made = show.moment_of("created_at", "Written")
    sent = show.moment_of("sent_at", "Sent")
    next_try = show.moment_of("next_try_at", "Next try")

    def get_readonly_fields(self, request: HttpRequest, obj: Notice | None = None) -> tuple[str, ...]:
        return self.fields

    @admin.display(description="Account")
    def owner(self, row: Notice) -> SafeString:
        return show.link(Account, row.account_id, row.account.external_id)

    @admin.display(description="Status")
    def state(self, row: Notice) -> SafeString:
        return show.badge(row.get_status_display(), COLOURS.get(NoticeStatus(row.status), "default"))


@admin.register(NoticeAddress)
class NoticeAddressAdmin(ReadOnly, Bounded, ModelAdmin):  # type: ignore[misc]
    """Every address that letters went to. Whoever has it decides, by the link in each letter."""

    list_display = ("email", "owner", "wants")
    list_display_links = ("email",)
    list_select_related = ("account",)
    list_before_template = "admin/credits/of_account.html"
    list_filter = (OfAccount,)
    search_fields = ("email",)
    search_help_text = "The exact address."
    ordering = ("-id",)
    fields = ("email", "owner", "wants", "made", "unsubscribed")

    made = show.moment_of("created_at", "First written to")
    unsubscribed = show.moment_of("unsubscribed_at", "Unsubscribed")

    def get_readonly_fields(self, request: HttpRequest, obj: NoticeAddress | None = None) -> tuple[str, ...]:
        return self.fields

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[NoticeAddress], search_term: str
    ) -> tuple[QuerySet[NoticeAddress], bool]:
        term = search_term.strip().replace("\0", "")
        return (queryset.filter(email=term) if term else queryset), False

    @admin.display(description="Account")
    def owner(self, row: NoticeAddress) -> SafeString:
        return show.link(Account, row.account_id, row.account.external_id)

    @admin.display(description="Letters")
    def wants(self, row: NoticeAddress) -> SafeString:
        return show.badge("Unsubscribed", "warning") if row.unsubscribed_at else show.badge("Wanted", "success")
