"""Features: what is sold by use."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from credits.admin.lists import Bounded
from credits.admin.policies import Kept
from credits.models import Feature
from credits.services import prices


@admin.register(Feature)
class FeatureAdmin(Kept, Bounded, ModelAdmin):  # type: ignore[misc]
    """A feature may be added and renamed. Its code is fixed once callers, prices and plans name it."""

    list_display = ("code", "name", "description", "costs")
    fields = ("code", "name", "description")
    search_fields = ("code__icontains", "name__icontains")

    def get_readonly_fields(self, request: HttpRequest, obj: Feature | None = None) -> tuple[str, ...]:
        return ("code", "costs") if obj else ()

    def get_fields(self, request: HttpRequest, obj: Feature | None = None) -> tuple[str, ...]:
        return (*self.fields, "costs") if obj else self.fields

    @admin.display(description="Costs")
    def costs(self, row: Feature) -> SafeString:
        address = f"{reverse('admin:credits_price_changelist')}?{urlencode({'feature__exact': row.pk})}"
        return format_html('<a class="f-link" href="{}">Prices</a>', address)

    def save_model(self, request: HttpRequest, obj: Feature, form: Any, change: Any) -> None:
        """Hand it to the service. The code is the primary key, so Django's message and log find the row."""
        if change:
            prices.rename_feature(code=obj.code, name=obj.name, description=obj.description)
        else:
            prices.add_feature(code=obj.code, name=obj.name, description=obj.description)
