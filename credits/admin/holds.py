"""Holds: credits set aside for a charge to come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from credits.admin import show
from credits.admin.lists import Bounded, Days, OfAccount, as_uuid
from credits.admin.policies import ReadOnly
from credits.admin.transactions import lots_of, notes_of
from credits.models import Account, Hold, Transaction

Page = tuple[str | None, dict[str, Any]]


@admin.register(Hold)
class HoldAdmin(ReadOnly, Bounded, ModelAdmin):  # type: ignore[misc]
    """Every hold there was, newest first."""

    list_display = ("made", "owner", "state", "set_aside", "still_held", "expires", "said")
    list_display_links = ("made",)
    list_select_related = ("account",)
    list_before_template = "admin/credits/of_account.html"
    list_filter = (OfAccount, ("status", ChoicesDropdownFilter), ("expires_at", Days))
    search_fields = ("id",)
    search_help_text = "The exact id of a hold."
    ordering = ("-id",)
    fieldsets: Sequence[Page] = (
        (None, {"fields": ("owner", "state", "set_aside", "charged", "still_held", "if_abandoned")}),
        ("Time", {"fields": ("made", "expires", "closed")}),
        ("Why", {"fields": ("feature", "description", "reference", "who", "request_id", "notes")}),
        ("Ledger", {"fields": ("reserved", "captures_made", "id")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Hold | None = None) -> list[str]:
        return [name for _, page in self.fieldsets for name in page["fields"]]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Hold]:
        return Hold.objects.select_related("account")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Hold], search_term: str
    ) -> tuple[QuerySet[Hold], bool]:
        if not search_term.strip():
            return queryset, False
        pk = as_uuid(search_term)
        return (queryset.filter(pk=pk) if pk else queryset.none()), False

    @admin.display(description="Made")
    def made(self, row: Hold) -> SafeString | str:
        return show.moment_tag(row.created_at)

    @admin.display(description="Account")
    def owner(self, row: Hold) -> SafeString:
        return show.link(Account, row.account_id, row.account.external_id)

    @admin.display(description="Status")
    def state(self, row: Hold) -> SafeString:
        return show.badge(row.get_status_display(), show.COLOUR_OF_HOLD[row.status])  # type: ignore[index]

    @admin.display(description="Set aside")
    def set_aside(self, row: Hold) -> SafeString:
        return show.in_unit(row.amount, row.account.unit_id)

    @admin.display(description="Captured")
    def charged(self, row: Hold) -> SafeString:
        return show.figure(row.captured, row.account.unit_id)

    @admin.display(description="Still held")
    def still_held(self, row: Hold) -> SafeString:
        return show.figure(row.remaining, row.account.unit_id)

    @admin.display(description="Charged if abandoned")
    def if_abandoned(self, row: Hold) -> str:
        return show.amount(row.abandonment_charge, row.account.unit_id)

    @admin.display(description="Times out")
    def expires(self, row: Hold) -> SafeString | str:
        return show.times_out(row)

    @admin.display(description="Ended")
    def closed(self, row: Hold) -> SafeString | str:
        return show.moment_tag(row.closed_at)

    @admin.display(description="What for")
    def said(self, row: Hold) -> SafeString:
        words = show.apart(row.description or row.feature) or show.EMPTY
        inner = format_html(
            '<span class="f-clip">{}</span><div class="f-small">by {}</div>', words, show.apart(show.actor(row))
        )
        return format_html("<div>{}</div>", inner)

    @admin.display(description="By")
    def who(self, row: Hold) -> str:
        return show.actor(row)

    @admin.display(description="Reference")
    def reference(self, row: Hold) -> SafeString | str:
        return show.apart(" ".join(filter(None, (row.reference_type, row.reference_id)))) or show.EMPTY

    @admin.display(description="Metadata")
    def notes(self, row: Hold) -> SafeString | str:
        return notes_of(row.metadata)

    @admin.display(description="Lots still reserved")
    def reserved(self, row: Hold) -> SafeString | str:
        return lots_of(row.lots, row.account.unit_id)

    @admin.display(description="Captures")
    def captures_made(self, row: Hold) -> SafeString | str:
        captures = Transaction.objects.filter(hold=row.pk).order_by("id")[:50]
        lines = [(show.link(Transaction, each.pk, str(each)),) for each in captures]
        return format_html_join("", "<div>{}</div>", lines) or show.EMPTY
