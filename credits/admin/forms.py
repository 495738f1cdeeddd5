"""What staff fills in. Forms check the shape; whether a movement is possible is the plan's to say."""

from __future__ import annotations

import re
import zoneinfo
from decimal import Decimal
from typing import Any

from django import forms
from django.core.validators import MinValueValidator
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from credits.amounts import read_written, say
from credits.models import Scope
from credits.models.fields import DECIMAL_PLACES, MAX_DIGITS
from credits.models.memo import Reason

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
MOMENT = re.compile(DAY.pattern + r"(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2})?)?")
WHOLE = re.compile(r"[+-]?[0-9]+")
TICKET = "The support ticket or chat this is about, for example SUP-1042."


class DayInput(forms.DateInput):
    """The browser's own picker, as small as what stands beside it."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__({"class": "f-date"}, format="%Y-%m-%d")


class DayField(forms.DateField):
    """A day as the picker sends it, and no other way: 11/10/2026 is one day here and another there."""

    widget = DayInput
    default_error_messages = {"invalid": "Enter a valid date: year, month and day, as in 2026-12-31."}

    def to_python(self, value: Any) -> Any:
        """Take year, month and day alone, in plain digits."""
        if isinstance(value, str) and value.strip() and not DAY.fullmatch(value.strip()):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)


class AmountInput(UnfoldAdminTextInputWidget):  # type: ignore[misc]
    """A text box that asks phones for digits."""

    def __init__(self) -> None:
        super().__init__({"inputmode": "decimal", "autocomplete": "off"})


class MomentInput(forms.DateTimeInput):
    """The browser's own picker: nothing to load, and it works on phones."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        classes = UnfoldAdminTextInputWidget().attrs["class"]
        super().__init__({"class": classes}, format="%Y-%m-%dT%H:%M")


class MomentField(forms.DateTimeField):
    """A moment in UTC as the picker sends it, and no other way."""

    widget = MomentInput
    default_error_messages = {"invalid": "Enter a valid date and time, as in 2026-12-31T18:30."}

    def to_python(self, value: Any) -> Any:
        """Take year, month, day and time alone, in plain digits; a day alone is its beginning."""
        if isinstance(value, str) and value.strip() and not MOMENT.fullmatch(value.strip()):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)


class AmountField(forms.DecimalField):
    """An exact amount. ``places`` are its unit's, where that is known: 1.000 credits are not taken for one.

    A button gives it those of its account's unit, unless it was made with places of its own.
    """

    widget = AmountInput

    def __init__(self, *, places: int | None = None, finest: int = DECIMAL_PLACES, **kwargs: Any) -> None:
        super().__init__(max_digits=MAX_DIGITS - DECIMAL_PLACES + finest, decimal_places=finest, **kwargs)
        self.of_unit = places is None
        self.places = finest if places is None else places

    def prepare_value(self, value: Any) -> Any:
        """Show an amount without the zeros that its column adds."""
        return say(value) if isinstance(value, Decimal) else value

    def to_python(self, value: Any) -> Any:
        """Take plain digits alone: neither 1_000, 1e3 nor digits of other scripts."""
        if not isinstance(value, str) or not value.strip():
            return super().to_python(value)
        try:
            return read_written(value, self.places)
        except ValueError as error:
            raise forms.ValidationError(str(error), code="invalid") from error


class WholeField(forms.IntegerField):
    """A whole number in plain digits: neither 1_000 nor digits of other scripts."""

    widget = UnfoldAdminIntegerFieldWidget

    def to_python(self, value: Any) -> Any:
        """Take plain digits alone."""
        if isinstance(value, str) and value.strip() and not WHOLE.fullmatch(value.strip()):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)


def note(label: str, *, most: int, help_text: str, required: bool) -> forms.CharField:
    """Return a field for a few words."""
    widget = UnfoldAdminTextareaWidget({"rows": 2})
    return forms.CharField(label=label, max_length=most, required=required, help_text=help_text, widget=widget)


class ReasonForm(forms.Form):
    """Why staff moves credits: asked by every verb that does."""

    reason = forms.ChoiceField(
        choices=[("", "Choose a reason"), *Reason.choices],
        help_text="Kept with the movement; reports count by it.",
        widget=UnfoldAdminSelectWidget,
    )
    note = note("Note", most=500, help_text="In words, for whoever of staff reads the account next.", required=False)
    ticket = forms.CharField(max_length=64, required=False, help_text=TICKET, widget=UnfoldAdminTextInputWidget)

    def clean(self) -> dict[str, Any]:
        """Ask what the other reason is."""
        data = super().clean() or {}
        if data.get("reason") == Reason.OTHER and not data.get("note"):
            self.add_error("note", "Say which reason it is.")
        return data


class AdjustForm(ReasonForm):
    amount = AmountField(label="Change by", help_text="The difference: 50 adds fifty, -50 takes fifty away.")
    field_order = ("amount", "reason", "note", "ticket")


class GrantForm(ReasonForm):
    amount = AmountField(help_text="How much is given. It becomes a promotional lot.", min_value=0)
    expires_at = MomentField(
        label="Expires at (UTC)",
        required=False,
        help_text="What is not spent by then lapses. Empty is never.",
    )
    # The movement by which it expired, where it is granted anew.
    expiry = forms.UUIDField(required=False, widget=forms.HiddenInput)
    field_order = ("amount", "expires_at", "reason", "note", "ticket")


class RefundForm(ReasonForm):
    """``choices`` are the spends that can be refunded."""

    movement = forms.TypedChoiceField(
        label="Spend",
        help_text="Which spend is given back, to the lots it was drawn from.",
        widget=UnfoldAdminSelectWidget,
    )
    amount = AmountField(required=False, min_value=0, help_text="Empty gives back all that is left of the spend.")
    field_order = ("movement", "amount", "reason", "note", "ticket")

    def __init__(self, *args: Any, choices: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        movement: Any = self.fields["movement"]
        movement.choices = choices if len(choices) == 1 else [("", "Choose a spend"), *choices]


class StatusForm(forms.Form):
    """Why an account is frozen or unfrozen."""

    note = note(
        "Why",
        most=180,
        help_text="Kept in the log of what staff did; shown on the account while it is frozen.",
        required=True,
    )
    ticket = forms.CharField(max_length=64, required=False, help_text=TICKET, widget=UnfoldAdminTextInputWidget)


class EditForm(forms.Form):
    """What an account is known by, and its limits, which take a reason and a ticket."""

    name = forms.CharField(max_length=255, required=False, widget=UnfoldAdminTextInputWidget)
    email = forms.EmailField(label="E-mail", max_length=254, required=False, widget=UnfoldAdminEmailInputWidget)
    overdraft_limit = AmountField(min_value=0, help_text="How far below zero the account may be spent.")
    low_balance_threshold = AmountField(
        label="Warn at balance", min_value=0, required=False, help_text="Empty leaves it as it is."
    )
    time_zone = forms.ChoiceField(
        choices=[(name, name) for name in sorted(zoneinfo.available_timezones())],
        help_text="The owner's days begin at its midnight.",
        widget=UnfoldAdminSelectWidget,
    )
    note = note("Why", most=500, help_text="Asked for where a limit changes.", required=False)
    ticket = forms.CharField(max_length=64, required=False, help_text=TICKET, widget=UnfoldAdminTextInputWidget)

    # What of the account was shown: two who edit it at once do not undo each other's work unseen.
    seen = forms.CharField(max_length=64, required=False, widget=forms.HiddenInput)

    LIMITS = ("overdraft_limit", "low_balance_threshold")

    def clean(self) -> dict[str, Any]:
        """Ask why a limit changes, and for which ticket."""
        data = super().clean() or {}
        if set(self.LIMITS) & set(self.changed_data):
            for name in ("note", "ticket"):
                if name not in self.errors and not data.get(name):
                    self.add_error(name, "Say so where a limit changes.")
        return data


class KeyForm(forms.Form):
    """A new API key."""

    name = forms.CharField(
        max_length=100, help_text="What uses it, for example web-prod.", widget=UnfoldAdminTextInputWidget
    )
    owner = forms.CharField(
        max_length=100,
        required=False,
        help_text="Whose it is; empty is the name. Keys of one owner share their idempotency keys.",
        widget=UnfoldAdminTextInputWidget,
    )
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices, help_text="What it may do.", widget=UnfoldAdminCheckboxSelectMultipleWidget
    )
    rate_limit = WholeField(
        required=False,
        max_value=2**31 - 1,
        validators=[MinValueValidator(1)],
        help_text="Requests a minute; empty is the setting's.",
    )
    expires_at = MomentField(
        label="Expires at (UTC)", required=False, help_text="When it stops working; empty is never."
    )

    def clean_expires_at(self) -> Any:
        """Refuse a moment that has passed."""
        moment = self.cleaned_data["expires_at"]
        if moment is not None and moment <= timezone.now():
            raise forms.ValidationError("That has passed already.")
        return moment
