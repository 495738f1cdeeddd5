"""Invoices of subscriptions, as the provider told them last."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from billing.admin import dashboard, words
from billing.models import Invoice, Payment
from billing.services.claims import movements_of_invoice
from credits.admin import show
from credits.admin.lists import Bounded, OfAccount
from credits.admin.policies import ReadOnly
from credits.amounts import say_money
from credits.models import Account, Transaction

COLOURS = {"paid": "success", "open": "warning", "uncollectible": "danger"}


@admin.register(Invoice)
class InvoiceAdmin(ReadOnly, Bounded, ModelAdmin):  # type: ignore[misc]
    """Every invoice, newest first."""

    list_display = ("when", "owner", "number", "asked", "state", "period")
    list_display_links = ("when",)
    list_select_related = ("account",)
    list_before_template = "admin/credits/of_account.html"
    list_filter = (OfAccount, "status")
    search_fields = ("provider_id__exact", "number__exact", "subscription_reference__exact")
    search_help_text = "An invoice's id or number, or a subscription's id: in_…, ABC-0001, sub_…"
    ordering = ("-occurred_at", "-id")
    fields = (
        "at_provider", "owner", "number", "asked", "paid", "state", "because", "subscription", "period",
        "payment_list", "brought", "hosted", "mode", "when", "updated",
    )  # fmt: skip

    when = show.moment_of("occurred_at", "When")
    updated = show.moment_of("updated_at", "Last heard from Stripe")
    mode = words.mode

    def get_readonly_fields(self, request: object, obj: Invoice | None = None) -> tuple[str, ...]:
        return self.fields

    @admin.display(description="Account")
    def owner(self, row: Invoice) -> SafeString:
        return show.link(Account, row.account_id, row.account.external_id)

    @admin.display(description="Asked for")
    def asked(self, row: Invoice) -> str:
        return say_money(row.amount_minor, row.currency)

    @admin.display(description="Paid")
    def paid(self, row: Invoice) -> str:
        return say_money(row.paid_minor, row.currency)

    @admin.display(description="Status")
    def state(self, row: Invoice) -> SafeString:
        return show.badge(words.said(row.status), COLOURS.get(row.status, "default"))

    @admin.display(description="Because of")
    def because(self, row: Invoice) -> str:
        return words.said(row.billing_reason) if row.billing_reason else show.EMPTY

    @admin.display(description="Pays for")
    def period(self, row: Invoice) -> SafeString | str:
        if row.period_starts_at is None or row.period_ends_at is None:
            return show.EMPTY
        return format_html("{} to {}", show.day_tag(row.period_starts_at), show.day_tag(row.period_ends_at))

    @admin.display(description="In Stripe's dashboard")
    def at_provider(self, row: Invoice) -> SafeString | str:
        return dashboard.link(dashboard.address("invoices", row.provider_id, livemode=row.livemode), row.provider_id)

    @admin.display(description="Subscription")
    def subscription(self, row: Invoice) -> SafeString | str:
        at = dashboard.address("subscriptions", row.subscription_reference, livemode=row.livemode)
        return dashboard.link(at, row.subscription_reference)

    @admin.display(description="Payments")
    def payment_list(self, row: Invoice) -> SafeString | str:
        links = ((show.link(Payment, each.pk, each.provider_id),) for each in row.payments.all())
        return format_html_join("", "<div>{}</div>", links) or show.EMPTY

    @admin.display(description="Brought")
    def brought(self, row: Invoice) -> SafeString | str:
        brought = movements_of_invoice(row)
        links = ((show.link(Transaction, each.pk, f"{each} {row.account.unit_id}"),) for each in brought)
        return format_html_join("", "<div>{}</div>", links) or show.EMPTY

    @admin.display(description="Page")
    def hosted(self, row: Invoice) -> SafeString | str:
        return dashboard.link(row.hosted_url, "as the customer has it")
