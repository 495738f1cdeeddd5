"""Units: what accounts count."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from credits.admin.lookups import Offered
from credits.admin.policies import Kept
from credits.models import Unit
from credits.services import measures


@admin.register(Unit)
class UnitAdmin(Kept, Offered, ModelAdmin):  # type: ignore[misc]
    """A unit may be added and renamed. Its code and its smallest step are fixed once amounts were judged by them."""

    list_display = ("code", "name", "decimal_places")
    fields = ("code", "name", "decimal_places")
    search_fields = ("code", "name")

    def get_readonly_fields(self, request: HttpRequest, obj: Unit | None = None) -> tuple[str, ...]:
        return ("code", "decimal_places") if obj else ()

    def save_model(self, request: HttpRequest, obj: Unit, form: Any, change: Any) -> None:
        """Hand it to the service. The code is the primary key, so Django's message and log find the row."""
        if change:
            measures.rename_unit(code=obj.code, name=obj.name)
        else:
            measures.add_unit(code=obj.code, name=obj.name, decimal_places=obj.decimal_places)
