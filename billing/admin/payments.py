"""Payments, with what became of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import F, QuerySet
from django.db.models.lookups import GreaterThan
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import DropdownFilter

from billing.admin import dashboard, words
from billing.admin.refunding import RefundPayment
from billing.models import Dispute, Payment, Refund
from billing.queries import Frozen, frozen_of, taken_back, uncredited_payments, with_ahead
from credits.admin import show
from credits.admin.buttons import button
from credits.admin.lists import Bounded, OfAccount
from credits.admin.policies import ReadOnly
from credits.amounts import say_money
from credits.models import Account, Transaction
from credits.services import clock
from credits.services.overview import overview

COLOURS = {"succeeded": "success", "processing": "info", "canceled": "default"}


class WaitsFilter(admin.SimpleListFilter):
    title = "brought nothing"
    parameter_name = "waits"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [("yes", "To be given back")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        return queryset & uncredited_payments() if self.value() == "yes" else queryset


class AheadFilter(DropdownFilter):  # type: ignore[misc]
    """What plans' payments pay for that is yet to come, in a currency: what the front page sums up."""

    title = "paid ahead, in"
    parameter_name = "ahead"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [(currency, currency) for currency, *_ in overview().figures.get("ahead", [])]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        if not self.value():
            return queryset
        # An index finds the invoices that run on; only of those it is worked out.
        running = queryset.filter(currency=self.value(), invoice__covers_until__gt=clock.now())
        return running.filter(GreaterThan(F("ahead_minor"), 0))


@admin.register(Payment)
class PaymentAdmin(ReadOnly, Bounded, ModelAdmin):  # type: ignore[misc]
    """Every payment, newest first, as the provider told it last."""

    list_display = ("when", "owner", "paid", "state", "for_what", "back", "ahead")
    list_display_links = ("when",)
    list_select_related = ("account", "checkout__pack", "invoice")
    list_before_template = "admin/credits/of_account.html"
    list_filter = (OfAccount, WaitsFilter, AheadFilter, "under_dispute")
    ordering = ("-occurred_at", "-id")
    actions_detail = ("refund",)
    fields = (
        "owner", "paid", "state", "for_what", "brought", "nothing", "back", "ahead", "refund_list", "dispute_list",
        "taken_back", "frozen", "at_provider", "charge", "failed", "receipt", "mode", "when", "updated",
    )  # fmt: skip

    updated = show.moment_of("updated_at", "Last heard from Stripe")
    mode = words.mode
    nothing = show.text_of("uncredited", "Why it brought nothing")
    charge = show.text_of("charge_reference", "Charge at Stripe")
    failed = show.text_of("failure", "Why it failed")

    def get_readonly_fields(self, request: HttpRequest, obj: Payment | None = None) -> tuple[str, ...]:
        return self.fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Payment]:
        return with_ahead(Payment.objects.all(), clock.now())

    def has_refund_payment_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return RefundPayment.allowed(request)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer no refund while a bank decides: its page says so."""
        row = self.get_object(request, object_id)
        disputed = row is not None and row.under_dispute
        return [] if disputed else list(super().get_actions_detail(request, object_id))

    @button("Refund", path=RefundPayment.path, icon="undo", permission="refund_payment")
    def refund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return RefundPayment(self, request, object_id).answer()

    @admin.display(description="When")
    def when(self, row: Payment) -> SafeString | str:
        return show.moment_tag(row.occurred_at)

    @admin.display(description="Account")
    def owner(self, row: Payment) -> SafeString:
        return show.link(Account, row.account_id, row.account.external_id)

    @admin.display(description="Paid")
    def paid(self, row: Payment) -> str:
        return say_money(row.amount_minor, row.currency)

    @admin.display(description="In Stripe's dashboard")
    def at_provider(self, row: Payment) -> SafeString | str:
        return dashboard.link(dashboard.address("payments", row.provider_id, livemode=row.livemode), row.provider_id)

    @admin.display(description="Receipt")
    def receipt(self, row: Payment) -> SafeString | str:
        return dashboard.link(row.receipt_url, "as the customer has it")

    @admin.display(description="Status")
    def state(self, row: Payment) -> SafeString:
        return badge_of(row)

    @admin.display(description="For")
    def for_what(self, row: Payment) -> str:
        return paid_for(row) or show.EMPTY

    @admin.display(description="Went back")
    def back(self, row: Payment) -> str:
        gone = row.refunded_minor + row.disputed_minor
        return say_money(gone, row.currency) if gone else show.EMPTY

    @admin.display(description="Paid ahead")
    def ahead(self, row: Payment) -> str:
        """What of it is for days of a plan that are yet to come."""
        minor = getattr(row, "ahead_minor", None)
        return say_money(int(minor), row.currency) if minor else show.EMPTY

    @admin.display(description="Brought")
    def brought(self, row: Payment) -> SafeString | str:
        credited = [each.movement for each in row.credits.select_related("movement")]
        brought = credited or [each for each in (row.movement,) if each]
        links = ((show.link(Transaction, each.pk, f"{each} {row.account.unit_id}"),) for each in brought)
        return format_html_join("", "<div>{}</div>", links) or show.EMPTY

    @admin.display(description="Credits taken back")
    def taken_back(self, row: Payment) -> str:
        unit, gone = row.account.unit_id, taken_back(row)
        if gone == row.claimed:
            return f"{show.amount(gone, unit)} {unit}"
        return f"{show.amount(gone, unit)} of {show.amount(row.claimed, unit)} {unit}: the account is closed"

    @admin.display(description="While the bank decides")
    def frozen(self, row: Payment) -> str:
        if not row.under_dispute:
            return show.EMPTY
        return f"{while_disputed(frozen_of(row), row.account.unit_id)}. Nothing can be refunded before that."

    @admin.display(description="Refunds")
    def refund_list(self, row: Payment) -> SafeString | str:
        return _lines(row.refunds.all())

    @admin.display(description="Disputes")
    def dispute_list(self, row: Payment) -> SafeString | str:
        return _lines(row.disputes.all())


def badge_of(row: Payment) -> SafeString:
    """Return in what state a payment is."""
    if row.under_dispute:
        return show.badge("Under dispute", "danger")
    if row.uncredited:
        return show.badge("Brought nothing", "danger" if row.refunded_minor < row.amount_minor else "default")
    if row.disputed_minor:
        return show.badge("Lost in a dispute", "danger")
    if row.refunded_minor:
        return show.badge("Refunded" if row.refunded_minor == row.amount_minor else "Refunded in part", "default")
    return show.badge(words.said(row.status), COLOURS.get(row.status, "warning"))


def paid_for(row: Payment) -> str:
    """Return in words what a payment was for."""
    if row.checkout is not None:
        return f"Pack {row.checkout.pack}" if row.checkout.pack else ""
    return f"Invoice {row.invoice.number}" if row.invoice else ""


def while_disputed(frozen: Frozen, unit: str) -> str:
    """Return in words how many credits of a disputed payment nobody can spend, and how many are spent."""
    held = f"{show.amount(frozen.held, unit)} of {show.amount(frozen.brought, unit)} {unit} are held frozen"
    spent = f"{show.amount(frozen.gone, unit)} were spent or had expired" if frozen.gone else "none was spent"
    return f"{held}, {spent}"


def _lines(rows: Iterable[Refund | Dispute]) -> SafeString | str:
    said = ((say_money(row.amount_minor, row.currency), words.said(row.status), row.provider_id) for row in rows)
    return format_html_join("", "<div>{}: {} ({})</div>", said) or show.EMPTY
