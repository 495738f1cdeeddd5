"""Lots: credits that came in together."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesDropdownFilter, RelatedDropdownFilter, TextFilter

from credits.admin import lots, show
from credits.admin.lists import Bounded, Days, OfAccount, as_uuid
from credits.admin.policies import ReadOnly
from credits.amounts import say_money
from credits.models import Account, Grant, Transaction
from credits.plan.state import ONE
from credits.services import clock

Page = tuple[str | None, dict[str, Any]]


class PaidIn(TextFilter):  # type: ignore[misc]
    """The lots that were paid for in a currency."""

    title = "paid for in (currency)"
    parameter_name = "paid_in"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Grant]) -> QuerySet[Grant]:
        currency = (self.value() or "").replace("\0", "").strip().upper()
        return queryset.filter(paid_currency=currency, paid_minor__gt=0) if currency else queryset


@admin.register(Grant)
class GrantAdmin(ReadOnly, Bounded, ModelAdmin):  # type: ignore[misc]
    """Every lot there was, newest first."""

    list_display = ("lot", "owner", "stock", "expires", "came_from")
    list_display_links = ("lot",)
    list_select_related = ("account",)
    list_before_template = "admin/credits/of_account.html"
    list_filter = (
        OfAccount,
        ("is_open", BooleanRadioFilter),
        ("category", ChoicesDropdownFilter),
        ("account__unit", RelatedDropdownFilter),
        PaidIn,
        ("expires_at", Days),
    )
    search_fields = ("id",)
    search_help_text = "The exact id of a lot."
    ordering = ("-id",)
    fieldsets: Sequence[Page] = (
        (None, {"fields": ("owner", "category", "came_in", "left", "in_holds", "state")}),
        ("Terms", {"fields": ("priority", "expires", "transferable", "paid", "worth")}),
        ("Where from", {"fields": ("came_from", "opened_by", "from_lot", "created", "id")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Grant | None = None) -> list[str]:
        return [name for _, page in self.fieldsets for name in page["fields"]]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Grant]:
        return lots.with_orders(Grant.objects.select_related("account"))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Grant], search_term: str
    ) -> tuple[QuerySet[Grant], bool]:
        if not search_term.strip():
            return queryset, False
        pk = as_uuid(search_term)
        return (queryset.filter(pk=pk) if pk else queryset.none()), False

    @admin.display(description="Lot")
    def lot(self, row: Grant) -> SafeString:
        return format_html('<span class="f-nowrap" title="{}">{}</span>', row.pk, lots.name(row))

    @admin.display(description="Source")
    def came_from(self, row: Grant) -> SafeString | str:
        return lots.source(row) or show.EMPTY

    @admin.display(description="Account")
    def owner(self, row: Grant) -> SafeString:
        return show.link(Account, row.account_id, row.account.external_id)

    @admin.display(description="Came in")
    def came_in(self, row: Grant) -> SafeString:
        return show.in_unit(row.amount, row.account.unit_id)

    @admin.display(description="Left")
    def left(self, row: Grant) -> SafeString:
        return show.figure(row.remaining, row.account.unit_id)

    @admin.display(description="Left")
    def stock(self, row: Grant) -> SafeString:
        """Tell what is left of how much, what of it is held, and what was paid for it."""
        unit = row.account.unit_id
        held = f"{show.amount(row.held, unit)} held" if row.held else ""
        paid = f"{self.worth(row)} paid for it" if row.paid_minor and row.remaining else ""
        beside = format_html_join("", '<div class="f-small">{}</div>', ((text,) for text in (held, paid) if text))
        amount = show.amount(row.amount, unit)
        left = show.figure(row.remaining, unit)
        return format_html('{} <span class="f-unit">of {} {}</span>{}', left, amount, unit, beside)

    @admin.display(description="Paid for what is left")
    def worth(self, row: Grant) -> str:
        minor = (row.paid_minor * row.remaining / row.amount).quantize(ONE, ROUND_HALF_UP)
        return say_money(int(minor), row.paid_currency) if minor else show.EMPTY

    @admin.display(description="Held")
    def in_holds(self, row: Grant) -> SafeString:
        return show.figure(row.held, row.account.unit_id)

    @admin.display(description="Expires")
    def expires(self, row: Grant) -> SafeString | str:
        return lots.until(row)

    @admin.display(description="State")
    def state(self, row: Grant) -> SafeString:
        if not row.is_open:
            return show.badge("Empty", "default")
        lapsed = row.expires_at is not None and row.expires_at <= clock.now()
        return show.badge("Expired", "danger") if lapsed else show.badge("Open", "success")

    @admin.display(description="Paid for it")
    def paid(self, row: Grant) -> str:
        return say_money(row.paid_minor, row.paid_currency) if row.paid_minor else "Nothing"

    @admin.display(description="Opened by")
    def opened_by(self, row: Grant) -> SafeString | str:
        opening = Transaction.objects.filter(account=row.account_id, sequence=row.opening_sequence).first()
        return show.link(Transaction, opening.pk, f"{opening}") if opening else show.EMPTY

    @admin.display(description="Transferred from")
    def from_lot(self, row: Grant) -> SafeString | str:
        return show.link(Grant, row.origin_id, str(row.origin_id)) if row.origin_id else show.EMPTY

    @admin.display(description="Came in on")
    def created(self, row: Grant) -> SafeString | str:
        return show.moment_tag(row.created_at)
