"""Use that had no price: charged provisionally, waiting to be rated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.dataclasses import UnfoldAction

from credits.admin import show
from credits.admin.buttons import button
from credits.admin.lists import Bounded, OfAccount
from credits.admin.policies import ReadOnly
from credits.admin.rating import Rate, RateAll
from credits.models import Account, Price, Transaction, UnpricedStatus, UnpricedUsage

MOST_COUNTED = 1000
COLOUR = {UnpricedStatus.OPEN: "warning", UnpricedStatus.RATED: "success", UnpricedStatus.WAIVED: "default"}


def waiting(request: HttpRequest) -> str:
    """Return how many wait for a price, for the sidebar; nothing where none does."""
    if not request.user.has_perm("credits.view_unpricedusage"):
        return ""
    count = UnpricedUsage.objects.filter(status=UnpricedStatus.OPEN).order_by()[: MOST_COUNTED + 1].count()
    return f"{MOST_COUNTED:,}+" if count > MOST_COUNTED else f"{count:,}" if count else ""


@admin.register(UnpricedUsage)
class UnpricedUsageAdmin(ReadOnly, Bounded, ModelAdmin):  # type: ignore[misc]
    """What waits for a price first, then what was rated."""

    list_display = ("what", "owner", "charged", "state", "made", "rated_at", "closed_by")
    list_display_links = ("what",)
    list_before_template = "admin/credits/of_account.html"
    list_filter = (("status", ChoicesDropdownFilter), OfAccount)
    search_fields = ("feature__icontains", "model__icontains")
    search_help_text = "A part of a feature's code or a model's name."
    # "open" comes before "rated" and "waived".
    ordering = ("status", "-id")
    fieldsets = (
        (None, {"fields": ("owner", "what", "charge", "state")}),
        ("When and why", {"fields": ("made", "said", "reference")}),
        ("Rating", {"fields": ("rated_at", "answer", "closed_at_exactly", "closed_by")}),
    )
    actions_list = ("rate_all",)
    actions_detail = ("rate",)

    def get_readonly_fields(self, request: HttpRequest, obj: UnpricedUsage | None = None) -> list[str]:
        return [name for _, page in self.fieldsets for name in page["fields"]]

    def get_queryset(self, request: HttpRequest) -> QuerySet[UnpricedUsage]:
        return UnpricedUsage.objects.select_related("account", "transaction", "price", "correction")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list, with how many wait as its title."""
        count = waiting(request)
        title = f"Waiting for a price: {count or 'none'}"
        return super().changelist_view(request, {**(extra_context or {}), "title": title})

    @admin.display(description="Used")
    def what(self, row: UnpricedUsage) -> str:
        return show.used(row.transaction.usage, row.transaction.feature)

    @admin.display(description="Account")
    def owner(self, row: UnpricedUsage) -> SafeString:
        return show.link(Account, row.account_id, row.account.external_id)

    @admin.display(description="Charged so far")
    def charged(self, row: UnpricedUsage) -> SafeString:
        figure = show.figure(-row.transaction.amount, row.account.unit_id)
        return format_html('{} <span class="f-unit">{}</span>', figure, row.account.unit_id)

    @admin.display(description="Provisional charge")
    def charge(self, row: UnpricedUsage) -> SafeString:
        said = f"{show.amount(-row.transaction.amount, row.account.unit_id)} {row.account.unit_id}"
        return show.link(Transaction, row.transaction_id, said)

    @admin.display(description="State")
    def state(self, row: UnpricedUsage) -> SafeString:
        status = UnpricedStatus(row.status)
        return show.badge(status.label, COLOUR[status])

    @admin.display(description="Used")
    def made(self, row: UnpricedUsage) -> SafeString | str:
        return show.moment_tag(row.created_at)

    @admin.display(description="What for")
    def said(self, row: UnpricedUsage) -> SafeString | str:
        return show.apart(row.transaction.description) or show.EMPTY

    @admin.display(description="Reference")
    def reference(self, row: UnpricedUsage) -> SafeString | str:
        named = filter(None, (row.transaction.reference_type, row.transaction.reference_id))
        return show.apart(" ".join(named)) or show.EMPTY

    @admin.display(description="Rated at")
    def rated_at(self, row: UnpricedUsage) -> SafeString | str:
        return show.link(Price, row.price.pk, str(row.price)) if row.price else show.EMPTY

    @admin.display(description="Correction")
    def answer(self, row: UnpricedUsage) -> SafeString | str:
        if row.correction is None:
            return show.EMPTY
        amount = show.amount(row.correction.amount, row.account.unit_id, signed=True)
        return show.link(Transaction, row.correction.pk, f"{amount} {row.account.unit_id}")

    @admin.display(description="Closed")
    def closed_at_exactly(self, row: UnpricedUsage) -> SafeString | str:
        return show.moment_tag(row.closed_at)

    def has_rate_unpricedusage_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return Rate.allowed(request)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Sequence[UnfoldAction]:
        """Offer to rate what is not rated."""
        offered: list[UnfoldAction] = super().get_actions_detail(request, object_id)
        row = self.get_object(request, object_id)
        return offered if row is not None and row.status == UnpricedStatus.OPEN else []

    @button("Rate", path=Rate.path, icon="price_check", permission="rate_unpricedusage")
    def rate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return Rate(self, request, object_id).answer()

    @button("Rate everything that has a price now", path=RateAll.path, icon="done_all", permission="rate_unpricedusage")
    def rate_all(self, request: HttpRequest) -> HttpResponse:
        return RateAll(self, request).answer()
