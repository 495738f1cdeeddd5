"""Packs."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from billing.models import Pack
from credits.admin import show
from credits.admin.policies import ReadOnly


@admin.register(Pack)
class PackAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    """What is sold. Who has a page open keeps the terms that it was opened on."""

    list_display = ("name", "code", "brings", "price", "expires_after_days", "active", "price_reference")
    list_filter = ("active",)
    fields = ("code", "name", "brings", "price", "expires_after_days", "active", "price_reference", "created_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Pack | None = None) -> tuple[str, ...]:
        return self.fields

    @admin.display(description="Brings")
    def brings(self, row: Pack) -> str:
        return str(show.amount(row.credits, row.unit_id))

    @admin.display(description="Price")
    def price(self, row: Pack) -> str:
        return f"{row.price_minor / 100:.2f} {row.currency}"
