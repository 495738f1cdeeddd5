"""What staff did: a list with filters, a page of each, and a card on the account's page. Nobody changes any of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import DropdownFilter, TextFilter

from credits.admin import desk, show
from credits.admin.lists import Bounded, Days, OfAccount
from credits.admin.policies import ReadOnly
from credits.models import Account, StaffAct

MOST_ACTS = 10
ACTIONS = (
    ("adjust", "Adjust"), ("grant", "Grant"), ("refund", "Refund"), ("refund-payment", "Refund a payment"),
    ("transfer", "Transfer"), ("bulk", "Bulk"), ("discard-bulk", "Discard a bulk"),
    ("undo-bulk", "Take a bulk back"), ("finish-bulk", "Finish a bulk"), ("replay", "Replay"), ("repair", "Repair"),
    ("run-job", "Run a job"),
    ("switch", "Switch auto top-up"),
    ("freeze", "Freeze"), ("unfreeze", "Unfreeze"), ("close", "Close the account"),
    ("ask-approval", "Ask for approval"), ("approve", "Approve"), ("refuse", "Refuse"),
    ("withdraw", "Withdraw a request"),
    ("sign-in", "Sign in"), ("sign-in-failed", "Failed sign-in"), ("sign-out", "Sign out"),
    ("change-plan", "Change the plan"), ("cancel-plan", "Cancel the plan"), ("edit", "Edit the account"),
    ("rights", "Change rights"), ("add", "Add"), ("change", "Change"), ("delete", "Delete"),
)  # fmt: skip


class What(DropdownFilter):  # type: ignore[misc]
    title = "action"
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(ACTIONS)

    def queryset(self, request: HttpRequest, queryset: QuerySet[StaffAct]) -> QuerySet[StaffAct]:
        return queryset.filter(action=self.value()) if self.value() else queryset


class Who(TextFilter):  # type: ignore[misc]
    title = "who (user name)"
    parameter_name = "who"

    def queryset(self, request: HttpRequest, queryset: QuerySet[StaffAct]) -> QuerySet[StaffAct]:
        name = (self.value() or "").replace("\x00", "").strip()
        return queryset.filter(actor_name=name) if name else queryset


class Ticket(TextFilter):  # type: ignore[misc]
    title = "ticket"
    parameter_name = "ticket"

    def queryset(self, request: HttpRequest, queryset: QuerySet[StaffAct]) -> QuerySet[StaffAct]:
        ticket = (self.value() or "").replace("\x00", "").strip()
        return queryset.filter(ticket=ticket) if ticket else queryset


@admin.register(StaffAct)
class StaffActAdmin(ReadOnly, Bounded, ModelAdmin):  # type: ignore[misc]
    """Every act of staff, newest first."""

    list_display = ("when", "who", "did", "said", "owner", "why", "under")
    list_display_links = ("when",)
    list_filter = (What, Who, OfAccount, Ticket, ("at", Days))
    list_before_template = "admin/credits/of_account.html"
    list_select_related = ("account",)
    ordering = ("-id",)
    fieldsets: Sequence[tuple[str | None, dict[str, Any]]] = (
        (None, {"fields": ("exactly", "who", "approved_by", "did", "told", "owner", "subject")}),
        ("Why", {"fields": ("reason", "note", "ticket")}),
        ("What it changed", {"fields": ("changed",)}),
        ("Trace", {"fields": ("request_id",)}),
    )

    who = show.text_of("actor_name", "Who")
    under = show.text_of("ticket", "Ticket")

    def get_readonly_fields(self, request: HttpRequest, obj: StaffAct | None = None) -> list[str]:
        return [name for _, page in self.fieldsets for name in page["fields"]]

    @admin.display(description="When")
    def when(self, row: StaffAct) -> SafeString | str:
        return show.moment_tag(row.at)

    @admin.display(description="When")
    def exactly(self, row: StaffAct) -> SafeString | str:
        return show.exactly(row.at)

    @admin.display(description="What")
    def said(self, row: StaffAct) -> SafeString:
        return clipped(row.what)

    @admin.display(description="Action")
    def did(self, row: StaffAct) -> str:
        return dict(ACTIONS).get(row.action, row.action.replace("-", " ").capitalize())

    @admin.display(description="What")
    def told(self, row: StaffAct) -> SafeString:
        return show.apart(show.in_zone(row.what))

    @admin.display(description="Account")
    def owner(self, row: StaffAct) -> SafeString | str:
        return show.link(Account, row.account_id, row.account.external_id) if row.account else show.EMPTY

    @admin.display(description="Why")
    def why(self, row: StaffAct) -> SafeString | str:
        words = "; ".join(filter(None, (row.get_reason_display(), row.note)))
        return clipped(words) if words else show.EMPTY

    @admin.display(description="Before and after")
    def changed(self, row: StaffAct) -> SafeString | str:
        names = [*row.before, *(name for name in row.after if name not in row.before)]
        told = [(name, row.before.get(name, show.EMPTY), row.after.get(name, show.EMPTY)) for name in names]
        lines = [[show.apart(show.in_zone(each)) for each in line] for line in told]
        return format_html_join("", "<div>{}: {} → {}</div>", lines) if lines else show.EMPTY


def clipped(words: str) -> SafeString:
    """Return words that a list cuts short; all of them on hover."""
    said = show.apart(show.in_zone(words))
    return format_html('<span class="f-clip" title="{}">{}</span>', show.unturned(words), said)


def context(request: HttpRequest, account: Account) -> dict[str, Any]:
    """Return what staff did here, latest first, in one query."""
    acts = list(StaffAct.objects.filter(account=account.pk).order_by("-id")[:MOST_ACTS])
    return {"acts": acts, "may_list": request.user.has_perm("credits.view_staffact")}


desk.register(desk.Section("staff", "credits.view_account", "admin/credits/account/acts.html", context, place=90))
