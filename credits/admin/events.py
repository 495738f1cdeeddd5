"""Events: what the world was told, and in which words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import DropdownFilter

from credits.admin import desk, show
from credits.admin.desk import Hit
from credits.admin.lists import Bounded, Days, OfAccount, as_uuid
from credits.admin.policies import ReadOnly
from credits.models import Account, Event, EventType, Transaction

# What a bigint has room for.
MOST_DIGITS = 18


class OfType(DropdownFilter):  # type: ignore[misc]
    title = "type"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(value), str(label)) for value, label in EventType.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        return queryset.filter(type=self.value()) if self.value() else queryset


@admin.register(Event)
class EventAdmin(ReadOnly, Bounded, ModelAdmin):  # type: ignore[misc]
    """Every event that is kept, newest first. Whether an endpoint has it, its deliveries tell."""

    list_display = ("recorded", "owner", "what", "figure", "type", "number")
    list_display_links = ("recorded",)
    list_select_related = ("account",)
    list_before_template = "admin/credits/of_account.html"
    list_filter = (OfAccount, OfType, ("recorded_at", Days))
    search_fields = ("id",)
    search_help_text = "The number of an event, as its receivers have it."
    ordering = ("-id",)
    fields = ("number", "what", "type", "version", "owner", "recorded", "movement", "told")

    recorded = show.moment_of("recorded_at", "Recorded")

    def get_readonly_fields(self, request: HttpRequest, obj: Event | None = None) -> tuple[str, ...]:
        return self.fields

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        """Find by exact number: one look-up in an index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        return queryset.filter(pk=int(term)) if _is_number(term) else queryset.none(), False

    @admin.display(description="Event")
    def number(self, row: Event) -> str:
        return str(row.pk)

    @admin.display(description="What")
    def what(self, row: Event) -> str:
        return _words_of(row)

    @admin.display(description="Account")
    def owner(self, row: Event) -> SafeString | str:
        return show.link(Account, row.account_id, row.account.external_id) if row.account else show.EMPTY

    @admin.display(description="Amount")
    def figure(self, row: Event) -> SafeString | str:
        amount = row.payload.get("amount")
        if amount is None or row.account is None:
            return show.EMPTY
        return show.in_unit(Decimal(str(amount)), row.account.unit_id)

    @admin.display(description="Movement")
    def movement(self, row: Event) -> SafeString | str:
        pk = as_uuid(str(row.payload.get("transaction_id", "")))
        return show.link(Transaction, pk, str(pk)) if pk else show.EMPTY

    @admin.display(description="As it was told")
    def told(self, row: Event) -> SafeString:
        return format_html('<pre class="f-notes">{}</pre>', json.dumps(row.payload, indent=2, ensure_ascii=False))


def _words_of(row: Event) -> str:
    return dict(EventType.choices).get(row.type, row.type)


def _is_number(term: str) -> bool:
    return term.isascii() and term.isdigit() and len(term) <= MOST_DIGITS


def _events(term: str) -> Iterator[Hit]:
    if _is_number(term):
        for row in Event.objects.filter(pk=int(term)):
            yield Hit("Events", f"{row.type} {row.pk}", show.page_of(Event, row.pk), _words_of(row))


desk.register(desk.Finder("credits.view_event", _events))
