"""Transactions: what moved, when, why and by whom."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter, RelatedDropdownFilter

from credits.admin import answers, lots, show, verbs
from credits.admin.legs import between, other_accounts
from credits.admin.lists import Bounded, Days, OfAccount, OwnDays, as_uuid
from credits.admin.policies import ReadOnly
from credits.admin.refundable import left_to_refund
from credits.models import FAMILIES, Account, Grant, Hold, Price, Transaction
from credits.models.memo import Reason
from credits.services.history import draws_of
from credits.services.locks import read_account

Page = tuple[str | None, dict[str, Any]]


class OfFamily(DropdownFilter):  # type: ignore[misc]
    """Several kinds at once, as the front page counts them."""

    title = "family"
    parameter_name = "family"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, each.label) for name, each in FAMILIES.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Transaction]) -> QuerySet[Transaction]:
        family = FAMILIES.get(self.value() or "")
        return queryset.filter(kind__in=family.kinds) if family else queryset


@admin.register(Transaction)
class TransactionAdmin(ReadOnly, Bounded, ModelAdmin):  # type: ignore[misc]
    """Every movement there was, newest first. Corrections are made on the account's page, as new movements."""

    list_display = ("recorded", "owner", "kind_badge", "figure", "balance", "said")
    list_display_links = ("recorded",)
    list_select_related = ("account",)
    list_before_template = "admin/credits/of_account.html"
    list_filter = (
        OfAccount,
        OfFamily,
        ("kind", ChoicesDropdownFilter),
        ("counterparty", ChoicesDropdownFilter),
        ("account__unit", RelatedDropdownFilter),
        ("recorded_at", Days),
        ("day", OwnDays),
    )
    search_fields = ("reference_id",)
    search_help_text = "The exact id of a transaction, or an exact reference id."
    ordering = ("-id",)
    fieldsets: Sequence[Page] = (
        (
            None,
            {
                "fields": (
                    "owner",
                    "number",
                    "kind_badge",
                    "exact_time",
                    "figure",
                    "transferred",
                    "before",
                    "balance",
                    "debt_change",
                )
            },
        ),
        (
            "Why",
            {
                "fields": (
                    "of_feature",
                    "use",
                    "price_version",
                    "in_words",
                    "because",
                    "reference",
                    "who",
                    "of_request",
                    "under_key",
                    "notes",
                )
            },
        ),
        ("Double entry", {"fields": ("counterparty_side", "lots_drawn", "of_hold", "answers", "answered_by")}),
        ("Proof", {"fields": ("movement", "row_hash")}),
    )

    of_feature = show.text_of("feature", "Feature")
    in_words = show.text_of("description", "In words")
    of_request = show.text_of("request_id", "Request")

    def get_readonly_fields(self, request: HttpRequest, obj: Transaction | None = None) -> list[str]:
        return [name for _, page in self.fieldsets for name in page["fields"]]

    def get_ordering(self, request: HttpRequest) -> Sequence[str]:
        """On one account the number orders as the id does, and an index serves it."""
        return ("account_id", "-sequence") if request.GET.get("account") else ("-id",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Transaction], search_term: str
    ) -> tuple[QuerySet[Transaction], bool]:
        """Find by exact id or reference id: each is one look-up in an index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        found = Q(reference_id=term) & ~Q(reference_id="")
        if pk := as_uuid(term):
            found |= Q(pk=pk)
        return queryset.filter(found), False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Transaction]:
        return Transaction.objects.select_related("account")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *asked: Any, **more: Any
    ) -> HttpResponse:
        """Offer to refund what can be refunded, on the account's own form."""
        row = more.get("obj")
        if row is not None and verbs.Refund.allowed(request) and left_to_refund(read_account(row.account_id), [row]):
            at = f"{verbs.Refund.address(row.account_id)}?movement={row.pk}"
            refund = {"title": "Refund", "icon": "undo", "variant": "default", "path": at, "attrs": {}}
            context["actions_detail"] = [*(context.get("actions_detail") or []), refund]
        answer: HttpResponse = super().render_change_form(request, context, *asked, **more)
        return answer

    @admin.display(description="Recorded")
    def recorded(self, row: Transaction) -> SafeString | str:
        return show.moment_tag(row.recorded_at)

    @admin.display(description="Account")
    def owner(self, row: Transaction) -> SafeString:
        return show.link(Account, row.account_id, row.account.external_id)

    @admin.display(description="Kind")
    def kind_badge(self, row: Transaction) -> SafeString:
        return show.badge(row.get_kind_display(), show.COLOUR_OF_KIND[row.kind])

    @admin.display(description="Amount")
    def figure(self, row: Transaction) -> SafeString:
        figure = show.figure(row.amount, row.account.unit_id, signed=True)
        return format_html('{} <span class="f-unit">{}</span>', figure, row.account.unit_id)

    @admin.display(description="Transferred")
    def transferred(self, row: Transaction) -> SafeString | str:
        return between(row, other_accounts([row]).get(row.pk)) or show.EMPTY

    @admin.display(description="Balance before")
    def before(self, row: Transaction) -> SafeString:
        return show.figure(row.balance_before, row.account.unit_id)

    @admin.display(description="Balance after")
    def balance(self, row: Transaction) -> SafeString:
        return show.figure(row.balance_after, row.account.unit_id)

    @admin.display(description="Change of debt")
    def debt_change(self, row: Transaction) -> str:
        return show.amount(row.debt, row.account.unit_id, signed=True) if row.debt else "Nothing"

    @admin.display(description="What for")
    def said(self, row: Transaction) -> SafeString:
        words = show.apart(row.description or row.feature) or show.EMPTY
        inner = format_html(
            '<span class="f-clip">{}</span><div class="f-small">by {}</div>', words, show.apart(show.actor(row))
        )
        return format_html("<div>{}</div>", inner)

    @admin.display(description="Number on the account")
    def number(self, row: Transaction) -> str:
        return f"{row.sequence:,}"

    @admin.display(description="Reason")
    def because(self, row: Transaction) -> str:
        return dict(Reason.choices).get(row.reason, row.reason) or show.EMPTY

    @admin.display(description="Idempotency key")
    def under_key(self, row: Transaction) -> SafeString | str:
        return answers.link_of(row) or show.EMPTY

    @admin.display(description="Movement")
    def movement(self, row: Transaction) -> str:
        return str(row.pk)

    @admin.display(description="By")
    def who(self, row: Transaction) -> str:
        return show.actor(row)

    @admin.display(description="Reference")
    def reference(self, row: Transaction) -> SafeString | str:
        return show.apart(" ".join(filter(None, (row.reference_type, row.reference_id)))) or show.EMPTY

    @admin.display(description="Used")
    def use(self, row: Transaction) -> str:
        return show.used(row.usage, row.feature) if row.usage else show.EMPTY

    @admin.display(description="Price")
    def price_version(self, row: Transaction) -> SafeString | str:
        return show.link(Price, row.price.pk, str(row.price)) if row.price else show.EMPTY

    @admin.display(description="Metadata")
    def notes(self, row: Transaction) -> SafeString | str:
        return notes_of(row.metadata)

    @admin.display(description="Counterparty")
    def counterparty_side(self, row: Transaction) -> str:
        amount = show.amount(-row.amount, row.account.unit_id, signed=True)
        return f"{row.get_counterparty_display()} ({amount}): the same row with the sign turned"

    @admin.display(description="Lots")
    def lots_drawn(self, row: Transaction) -> SafeString | str:
        return lots_of(row.draws, row.account.unit_id)

    @admin.display(description="Hold")
    def of_hold(self, row: Transaction) -> SafeString | str:
        return show.link(Hold, row.hold_id, str(row.hold_id)) if row.hold_id else show.EMPTY

    @admin.display(description="Answers")
    def answers(self, row: Transaction) -> SafeString | str:
        return show.link(Transaction, row.parent_id, str(row.parent_id)) if row.parent_id else show.EMPTY

    @admin.display(description="Answered by")
    def answered_by(self, row: Transaction) -> SafeString | str:
        children = Transaction.objects.filter(parent=row.pk).select_related("account").order_by("id")[:50]
        lines = [(show.link(Transaction, child.pk, f"{child} {child.account.unit_id}"),) for child in children]
        return format_html_join("", "<div>{}</div>", lines) or show.EMPTY

    @admin.display(description="Recorded")
    def exact_time(self, row: Transaction) -> SafeString | str:
        return show.exactly(row.recorded_at)

    @admin.display(description="Hash")
    def row_hash(self, row: Transaction) -> SafeString:
        return format_html("<code>{}</code>", bytes(row.hash).hex())


def lots_of(draws: list[list[Any]], unit: str) -> SafeString | str:
    """Return what each lot gained or lost, with links."""
    drawn = draws_of(draws)
    known = Grant.objects.in_bulk([lot for lot, _ in drawn])
    lines = [
        (show.link(Grant, lot, lots.name(known[lot]) if lot in known else f"Lot {show.short(lot)}"), part)
        for lot, part in ((lot, show.amount(part, unit, signed=True)) for lot, part in drawn)
    ]
    return format_html_join("", "<div>{} {}</div>", lines) or show.EMPTY


def notes_of(metadata: Any) -> SafeString | str:
    """Return metadata as the caller sent it."""
    if not metadata:
        return show.EMPTY
    return format_html('<pre class="f-notes">{}</pre>', json.dumps(metadata, indent=2, ensure_ascii=False))
