"""What staff fills in about quotas."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from credits.admin.forms import TICKET, AmountField, MomentField, note
from credits.models import Measure, QuotaPeriod
from credits.models.fields import MAX_QUANTITY, QUANTITY_PLACES

THOUSANDS = re.compile(r"[1-9][0-9]{0,2}\.[0-9]{3}")
Choices = list[tuple[str, str]]


class LimitField(AmountField):
    """A limit: credits, as fine as their unit, or uses."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(places=QUANTITY_PLACES, finest=QUANTITY_PLACES, max_value=MAX_QUANTITY, min_value=0, **kwargs)

    def to_python(self, value: Any) -> Any:
        """Refuse what may be a thousand as well as one: uses have so many places that 1.000 fits."""
        if isinstance(value, str) and THOUSANDS.fullmatch(value.strip()):
            told = f"“{value.strip()}” may be read in two ways: a dot separates no thousands. Write 1000, or 1."
            raise forms.ValidationError(told, code="invalid")
        return super().to_python(value)


class WhyForm(forms.Form):
    """Why a quota is changed."""

    note = note("Why", most=180, help_text="Kept with what staff did here.", required=True)
    ticket = forms.CharField(max_length=64, required=False, help_text=TICKET, widget=UnfoldAdminTextInputWidget)


class NamedQuotaForm(WhyForm):
    """A quota, whether there is one yet or not. ``features`` are those it may count."""

    feature = forms.ChoiceField(
        required=False, help_text="What it counts, all together or one feature.", widget=UnfoldAdminSelectWidget
    )
    period = forms.ChoiceField(
        choices=QuotaPeriod.choices, help_text="In the account's own time zone.", widget=UnfoldAdminSelectWidget
    )
    measure = forms.ChoiceField(
        label="Counts",
        choices=Measure.choices,
        help_text="The credits that are spent, or how much is used.",
        widget=UnfoldAdminSelectWidget,
    )

    def __init__(self, *args: Any, features: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        feature: Any = self.fields["feature"]
        feature.choices = [("", "All features"), *((code, code) for code in features)]


class LimitForm(NamedQuotaForm):
    limit = LimitField(help_text="The account's own, in place of its plan's. Empty takes it away.", required=False)
    kind = forms.ChoiceField(
        label="Beyond it",
        choices=[("hard", "Refuse (429)"), ("soft", "Warn and let pass")],
        widget=UnfoldAdminSelectWidget,
    )
    field_order = ("feature", "period", "measure", "limit", "kind", "note", "ticket")


class OverrideForm(NamedQuotaForm):
    limit = LimitField(help_text="The limit for the time being.")
    until = MomentField(label="Until (UTC)", help_text="Then the usual limit holds again by itself.")
    field_order = ("feature", "period", "measure", "limit", "until", "note", "ticket")


class KnownQuotaForm(WhyForm):
    """One of the quotas an account has."""

    quota = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    field_order = ("quota", "note", "ticket")

    def __init__(self, *args: Any, quotas: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        quota: Any = self.fields["quota"]
        quota.choices = quotas if len(quotas) == 1 else [("", "Choose a quota"), *quotas]
