"""Prices: what every feature and AI model costs, cost, and will cost."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter, RelatedDropdownFilter

from credits.admin import show
from credits.admin.buttons import button
from credits.admin.lists import Bounded
from credits.admin.policies import ReadOnly
from credits.admin.price_acts import ImportPrices, NewPrice
from credits.models import Price, PriceScheme
from credits.pricelist import in_words


def successors() -> QuerySet[Price]:
    """Return what takes a price's place, for a query about prices: later ones, and newer ones from the same moment."""
    others = Price.objects.filter(unit=OuterRef("unit"), feature=OuterRef("feature"), model=OuterRef("model"))
    newer = Q(effective_at=OuterRef("effective_at"), version__gt=OuterRef("version"))
    return others.filter(newer | Q(effective_at__gt=OuterRef("effective_at")))


class State(DropdownFilter):  # type: ignore[misc]
    """When it holds."""

    title = "in force"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("now", "Now"), ("later", "Later"), ("past", "No longer")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Price]) -> QuerySet[Price]:
        begun = queryset.filter(effective_at__lte=timezone.now())
        over = Exists(successors().filter(effective_at__lte=timezone.now()))
        match self.value():
            case "now":
                return begun.filter(~over)
            case "later":
                return queryset.filter(effective_at__gt=timezone.now())
            case "past":
                return queryset.filter(over)
        return queryset


class Kind(DropdownFilter):  # type: ignore[misc]
    """What it prices."""

    title = "prices of"
    parameter_name = "of"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("feature", "Features"), ("model", "AI models")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Price]) -> QuerySet[Price]:
        match self.value():
            case "feature":
                return queryset.exclude(feature="")
            case "model":
                return queryset.exclude(model="")
        return queryset


@admin.register(Price)
class PriceAdmin(ReadOnly, Bounded, ModelAdmin):  # type: ignore[misc]
    """Every version there was. A price never changes: another one takes its place."""

    list_display = ("subject", "unit", "costs", "state", "since", "ends", "numbered", "why", "created_by")
    list_filter = (State, Kind, ("unit", RelatedDropdownFilter), ("scheme", ChoicesDropdownFilter))
    linked_by = ("feature",)
    search_fields = ("feature__icontains", "model__icontains", "note__icontains")
    search_help_text = "A part of a feature's code, a model's name or a note."
    ordering = ("feature", "model", "unit", "-version")
    fieldsets = (
        (None, {"fields": ("subject", "unit", "costs", "numbered", "scheme")}),
        ("When", {"fields": ("state", "since", "ends")}),
        ("Why", {"fields": ("note", "created_by", "made")}),
    )
    actions_list = ("new_price", "import_list")

    why = show.text_of("note", "Note")

    def get_readonly_fields(self, request: HttpRequest, obj: Price | None = None) -> list[str]:
        return [name for _, page in self.fieldsets for name in page["fields"]]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Price]:
        """Add ``until``: when another version takes its place."""
        return Price.objects.annotate(until=Subquery(successors().order_by("effective_at").values("effective_at")[:1]))

    @admin.display(description="Feature or model")
    def subject(self, row: Price) -> SafeString:
        kind = "model" if row.model else "feature"
        return format_html('{} <span class="f-unit">{}</span>', row.feature or row.model, kind)

    @admin.display(description="Costs")
    def costs(self, row: Price) -> SafeString:
        return format_html('<span class="f-costs">{}</span>', in_words(row.scheme, row.terms))

    @admin.display(description="Version")
    def numbered(self, row: Price) -> str:
        return f"v{row.version}"

    @admin.display(description="State")
    def state(self, row: Price) -> SafeString:
        now, until = timezone.now(), row.until  # type: ignore[attr-defined]  # annotated above
        if until is not None and until <= max(now, row.effective_at):
            return show.badge("Replaced", "default")
        if row.effective_at > now:
            return show.badge("Later", "info")
        withdrawn = row.scheme == PriceScheme.WITHDRAWN
        return show.badge("Withdrawn", "warning") if withdrawn else show.badge("In force", "success")

    @admin.display(description="From")
    def since(self, row: Price) -> SafeString | str:
        return show.moment_tag(row.effective_at)

    @admin.display(description="Until")
    def ends(self, row: Price) -> SafeString | str:
        return show.moment_tag(row.until)  # type: ignore[attr-defined]  # annotated above

    @admin.display(description="Added")
    def made(self, row: Price) -> SafeString | str:
        return show.moment_tag(row.created_at)

    def has_new_price_permission(self, request: HttpRequest) -> bool:
        return NewPrice.allowed(request)

    def has_import_prices_permission(self, request: HttpRequest) -> bool:
        return ImportPrices.allowed(request)

    @button("New price", path=NewPrice.path, icon="add", permission="new_price")
    def new_price(self, request: HttpRequest) -> HttpResponse:
        return NewPrice(self, request).answer()

    @button("Import", path=ImportPrices.path, icon="upload_file", permission="import_prices")
    def import_list(self, request: HttpRequest) -> HttpResponse:
        return ImportPrices(self, request).answer()
