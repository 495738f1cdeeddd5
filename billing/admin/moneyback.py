"""How money went back: refunds that were ordered, refunds as the provider told them, disputes."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from billing.admin import dashboard, words
from billing.models import Dispute, Payment, Refund, RefundOrder
from credits.admin import show
from credits.admin.lists import Bounded, OfAccount, accounts_named
from credits.admin.policies import ReadOnly
from credits.amounts import say_money
from credits.models import Account

COLOURS = {
    "done": "success", "succeeded": "success", "won": "success", "pending": "warning", "needs_response": "danger",
    "warning_needs_response": "danger", "under_review": "warning", "lost": "danger", "refused": "danger",
    "failed": "danger",
}  # fmt: skip


class OfPaymentsAccount(OfAccount):
    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        return queryset.filter(payment__account__in=[account.pk for account in accounts_named(self.value())])


class MoneyBackAdmin(ReadOnly, Bounded, ModelAdmin):  # type: ignore[misc]
    """What goes back of a payment, newest first. Its buttons stand on the payment."""

    list_display_links = ("when",)
    list_select_related = ("payment__account",)
    list_before_template = "admin/credits/of_account.html"
    ordering = ("-id",)

    updated = show.moment_of("updated_at", "Last heard from Stripe")
    mode = words.mode

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return tuple(self.fields)

    @admin.display(description="Account")
    def owner(self, row: Any) -> SafeString:
        return show.link(Account, row.payment.account_id, row.payment.account.external_id)

    @admin.display(description="Of the payment")
    def of_payment(self, row: Any) -> SafeString:
        paid = say_money(row.payment.amount_minor, row.payment.currency)
        return show.link(Payment, row.payment_id, f"{paid} ({row.payment.provider_id})")

    @admin.display(description="Amount")
    def figure(self, row: Any) -> str:
        return say_money(row.amount_minor, row.payment.currency)

    @admin.display(description="Status")
    def state(self, row: Any) -> SafeString:
        return show.badge(words.said(row.status), COLOURS.get(row.status, "default"))

    @admin.display(description="Why")
    def why(self, row: Any) -> str:
        return words.said(row.reason) if row.reason else show.EMPTY


@admin.register(RefundOrder)
class RefundOrderAdmin(MoneyBackAdmin):
    """What somebody here, or a backend, asked to be given back, and whether the provider has done it."""

    list_display = ("when", "owner", "figure", "state", "of_payment", "asked_by")
    list_filter = (OfPaymentsAccount, ("status", ChoicesDropdownFilter))
    fields = ("owner", "figure", "state", "of_payment", "because", "asked_by", "refund", "failed", "when", "changed")

    when = show.moment_of("created_at", "Ordered")
    changed = show.moment_of("updated_at", "Last changed")
    because = show.text_of("reason", "Why")
    failed = show.text_of("failure", "Why it is not done")
    asked_by = show.text_of("actor_name", "Ordered by")

    @admin.display(description="Status")
    def state(self, row: RefundOrder) -> SafeString:
        return show.badge(row.get_status_display(), COLOURS.get(row.status, "default"))

    @admin.display(description="Refund")
    def refund(self, row: RefundOrder) -> SafeString | str:
        made = Refund.objects.filter(provider_id=row.provider_id).first() if row.provider_id else None
        return show.link(Refund, made.pk, made.provider_id) if made else row.provider_id or show.EMPTY


class RecordAdmin(MoneyBackAdmin):
    """A record of the provider's."""

    list_display = ("when", "owner", "figure", "state", "why", "of_payment")
    list_filter = (OfPaymentsAccount, "status")
    search_fields = ("provider_id__exact",)
    fields = ("at_provider", "owner", "figure", "state", "why", "of_payment", "mode", "when", "updated")

    when = show.moment_of("occurred_at", "When")

    @admin.display(description="In Stripe's dashboard")
    def at_provider(self, row: Refund | Dispute) -> SafeString | str:
        # The dashboard shows both on the payment.
        at = dashboard.address("payments", row.payment.provider_id, livemode=row.livemode)
        return dashboard.link(at, row.provider_id)


@admin.register(Refund)
class RefundAdmin(RecordAdmin):
    """Every refund, as the provider told it last: ordered here, or in its dashboard."""

    search_help_text = "A refund's id: re_…"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Refund]:
        """Add why whoever ordered it here did so."""
        orders = RefundOrder.objects.filter(payment=OuterRef("payment"), provider_id=OuterRef("provider_id"))
        return Refund.objects.annotate(ordered_for=Subquery(orders.exclude(provider_id="").values("reason")[:1]))

    @admin.display(description="Why")
    def why(self, row: Any) -> str:
        return str(getattr(row, "ordered_for", None) or super().why(row))


@admin.register(Dispute)
class DisputeAdmin(RecordAdmin):
    """Every payment that its cardholder called in question, as the provider told it last."""

    search_help_text = "A dispute's id: dp_… or du_…"
