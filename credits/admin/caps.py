"""How much a role may do alone: rows that those who may edit."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget

from credits.admin import show
from credits.admin.forms import AmountField
from credits.admin.logged import Logged, actor_of, request_id
from credits.admin.lookups import Offered
from credits.amounts import places_of
from credits.models import CappedAction, StaffCap, Unit
from credits.models.fields import DECIMAL_PLACES
from credits.services.staff import Told, record_act

CURRENCY = re.compile("[A-Z]{3}")


def help_of(name: str) -> str:
    """Return what a cap is called where it is kept."""
    field: Any = StaffCap._meta.get_field(name)
    return str(field.help_text)


class CapForm(forms.ModelForm):  # type: ignore[type-arg]
    """Asks for a role that there is."""

    role = forms.ModelChoiceField(
        Group.objects.order_by("name"), to_field_name="name", empty_label=None, widget=UnfoldAdminSelectWidget
    )

    per_action = AmountField(label="At once", min_value=0, help_text=help_of("per_action"))
    per_day = AmountField(label="In a day", min_value=0, help_text=help_of("per_day"))
    per_approval = AmountField(label="Approves at once", min_value=0, required=False, help_text=help_of("per_approval"))

    class Meta:
        model = StaffCap
        fields = ("role", "action", "unit", "per_action", "per_day", "per_approval")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        unit = str(self.data.get(self.add_prefix("unit")) or self.instance.unit_id or "")
        for name in ("per_action", "per_day", "per_approval"):
            field = self.fields.get(name)
            if isinstance(field, AmountField):
                field.places = self._places(unit)

    def _places(self, unit: str) -> int:
        if self.data.get(self.add_prefix("action")) == CappedAction.REFUND_PAYMENT:
            return places_of(unit)
        known = Unit.objects.filter(pk=unit.replace("\0", "")).values_list("decimal_places", flat=True).first()
        return DECIMAL_PLACES if known is None else known

    def clean(self) -> dict[str, Any]:
        """Ask for a currency where it is money that is capped, and for a day that allows for one act."""
        data = super().clean() or {}
        once, daily = data.get("per_action"), data.get("per_day")
        if once is not None and daily is not None and daily < once:
            self.add_error("per_day", "A day allows for at least as much as is done at once.")
        unit = data.get("unit")
        if data.get("action") == CappedAction.REFUND_PAYMENT and unit and not CURRENCY.fullmatch(unit.pk):
            self.add_error("unit", "Money is given back in a currency: choose the unit called as that is, like USD.")
        return data

    def clean_role(self) -> str:
        """Keep the name alone."""
        return str(self.cleaned_data["role"].name)


@admin.register(StaffCap)
class StaffCapAdmin(Logged, Offered, ModelAdmin):  # type: ignore[misc]
    """Above its cap, an action waits for a second person. A role without caps for an action has none."""

    form = CapForm
    list_display = ("role", "action", "at_once", "a_day", "approves")
    list_filter = ("role", "action")
    ordering = ("role", "unit", "action")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}

    @admin.display(description="At once")
    def at_once(self, row: StaffCap) -> SafeString:
        return show.in_unit(row.per_action, row.unit_id)

    @admin.display(description="In a day")
    def a_day(self, row: StaffCap) -> SafeString:
        return show.in_unit(row.per_day, row.unit_id)

    @admin.display(description="Approves at once")
    def approves(self, row: StaffCap) -> SafeString | str:
        return "Any amount" if row.per_approval is None else show.in_unit(row.per_approval, row.unit_id)

    def save_model(self, request: HttpRequest, obj: StaffCap, form: Any, change: bool) -> None:  # noqa: FBT001
        """Write down what the cap was, with what it is."""
        before = StaffCap.objects.filter(pk=obj.pk).first() if change else None
        super().save_model(request, obj, form, change)
        told = Told(subject=str(obj), before=_figures(before), after=_figures(obj), request_id=request_id(request))
        record_act(actor=actor_of(request), action="rights", what=f"Set the cap {obj}.", told=told)


def _figures(row: StaffCap | None) -> dict[str, str]:
    return {name: _told(value, row.unit_id) for name, value in _three(row)} if row else {}


def _told(value: Decimal | None, unit: str) -> str:
    return "Any amount" if value is None else f"{show.amount(value, unit)} {unit}"


def _three(row: StaffCap) -> list[tuple[str, Decimal | None]]:
    return [("At once", row.per_action), ("In a day", row.per_day), ("Approves at once", row.per_approval)]
