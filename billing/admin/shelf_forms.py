"""What staff fills in about what is sold."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.validators import RegexValidator
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from billing.models import Pack
from credits.admin.forms import AmountField, WholeField
from credits.amounts import places_of
from credits.models import Unit
from subscriptions.models import PlanVersion

PRICE = RegexValidator(r"^[!-~]+$", "Write the id of a price, such as price_123.")
# Stripe charges at most 999,999.99, or 99,999,999 of a currency without decimals.
MOST = 99_999_999


def reference(*, required: bool, help_text: str) -> forms.CharField:
    """Return a field for the id of one of the provider's prices."""
    return forms.CharField(
        label="Price at the provider's", max_length=255, required=required, validators=[PRICE], help_text=help_text,
        widget=UnfoldAdminTextInputWidget,
    )  # fmt: skip


class PackForm(forms.Form):
    """The terms of a pack."""

    name = forms.CharField(max_length=100, help_text="How people read it.", widget=UnfoldAdminTextInputWidget)
    credits = AmountField(help_text="How many it brings.")
    price = AmountField(places=2, max_value=MOST, help_text="What it costs: 10, or 9.90.")
    currency = forms.CharField(
        max_length=3, help_text="Its ISO 4217 code, such as USD.", initial="USD", widget=UnfoldAdminTextInputWidget,
        validators=[RegexValidator(r"^[A-Za-z]{3}$", "Write three letters, such as USD.")],
    )  # fmt: skip
    expires_after_days = WholeField(
        required=False, min_value=1, max_value=36_500,
        help_text="How long its credits last. Empty: they do not expire.",
    )  # fmt: skip
    price_reference = reference(required=False, help_text="The id of a price. Empty: “Publish” makes one.")
    note = forms.CharField(
        max_length=255, required=False, help_text="Why it changes.", widget=UnfoldAdminTextInputWidget
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        price: Any = self.fields["price"]
        price.places = places_of(self.data.get("currency", ""))

    def clean_currency(self) -> str:
        """Return it in capitals."""
        return str(self.cleaned_data["currency"]).upper()

    def clean_credits(self) -> Any:
        """Return how many, if any."""
        return _above_zero(self.cleaned_data["credits"])

    def clean_price(self) -> Any:
        """Return what it costs, if anything."""
        return _above_zero(self.cleaned_data["price"])


class NewPackForm(PackForm):
    """A pack that is not there yet."""

    code = forms.CharField(
        max_length=50, help_text="How callers name it, for example small. Never changed.",
        validators=Pack._meta.get_field("code").validators, widget=UnfoldAdminTextInputWidget,
    )  # fmt: skip
    unit = forms.ChoiceField(
        help_text="What its credits are counted in. Never changed.", widget=UnfoldAdminSelectWidget
    )
    field_order = ("code", "name", "unit", "credits", "price", "currency", "expires_after_days", "price_reference")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        unit: Any = self.fields["unit"]
        unit.choices = list(Unit.objects.values_list("pk", "name"))


class MapForm(forms.Form):
    """Which price pays for which version."""

    version = forms.ModelChoiceField(
        queryset=PlanVersion.objects.none(), help_text="The plan's version that is paid for.",
        widget=UnfoldAdminSelectWidget,
    )  # fmt: skip
    price_reference = reference(required=True, help_text="The id of a price: price_123.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        version: Any = self.fields["version"]
        version.queryset = PlanVersion.objects.filter(price_minor__gt=0)


def _above_zero(figure: Any) -> Any:
    if figure is not None and figure <= 0:
        raise forms.ValidationError("It must be more than nothing.")
    return figure
