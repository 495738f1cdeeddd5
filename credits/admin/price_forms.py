"""What staff fills in about prices."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core import signing
from django.core.validators import RegexValidator
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from credits.admin.forms import AmountInput, MomentField
from credits.models import Feature, PriceScheme, Unit
from credits.plan.terms import SCHEMES
from credits.pricefile import MOST_BYTES

SALT = "credits.admin.price_file"
LASTS_SECONDS = 3600
# A file may write 1e-6, as JSON does; a person who writes 1e3 has slipped.
PLAIN = RegexValidator(r"^[+-]?[0-9]+(?:\.[0-9]+)?$", "Write plain digits, such as 0.25.")


def figure(label: str, help_text: str) -> forms.CharField:
    """Return a field for a figure. Text, so that it is exact and judged where a file's figures are."""
    return forms.CharField(
        label=label, max_length=40, required=False, help_text=help_text, widget=AmountInput, validators=[PLAIN]
    )


class PriceForm(forms.Form):
    """A price from a moment on."""

    unit = forms.ChoiceField(help_text="What it is charged in.", widget=UnfoldAdminSelectWidget)
    feature = forms.ChoiceField(
        required=False, help_text="What it prices: a feature of the catalogue,", widget=UnfoldAdminSelectWidget
    )
    model = forms.CharField(
        label="AI model",
        max_length=100,
        required=False,
        help_text="or an AI model, by the name that callers send.",
        widget=UnfoldAdminTextInputWidget,
    )
    scheme = forms.ChoiceField(
        choices=PriceScheme.choices, help_text="How a charge is worked out.", widget=UnfoldAdminSelectWidget
    )
    amount = figure("Cost a call", "Whatever the quantity.")
    per = figure("Cost a unit of quantity", "Times the quantity that is used.")
    tiers = forms.CharField(
        required=False,
        help_text="A tier a line, up to which quantity and what each costs: “1000: 2”; the last one “above: 1”.",
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
    )
    input = figure("Input tokens", "Cost of a million.")
    output = figure("Output tokens", "Cost of a million.")
    cached_input = figure("Cached input tokens", "Cost of a million; empty is that of input.")
    reasoning = figure("Reasoning tokens", "Cost of a million; empty is that of output.")
    effective_at = MomentField(label="From (UTC)", required=False, help_text="When it begins; empty is now.")
    note = forms.CharField(
        max_length=255, required=False, help_text="Why it changes.", widget=UnfoldAdminTextInputWidget
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        unit: Any = self.fields["unit"]
        unit.choices = list(Unit.objects.values_list("pk", "name"))
        feature: Any = self.fields["feature"]
        feature.choices = [("", "None"), *((code, code) for code in Feature.objects.values_list("pk", flat=True))]

    def clean_tiers(self) -> list[dict[str, Any]]:
        """Return tiers as a price has them. What their figures may be is not judged here."""
        tiers = []
        for line in filter(None, map(str.strip, self.cleaned_data["tiers"].splitlines())):
            up_to, colon, per = map(str.strip, line.rpartition(":"))
            if not colon:
                raise forms.ValidationError("Write each tier as “up to: cost”, for example “1000: 2”.")
            tiers.append({"up_to": None if up_to.lower() == "above" else up_to, "per": per})
        return tiers


def item_of(data: dict[str, Any]) -> dict[str, Any]:
    """Return what was filled in as a price list has it: of the figures those of the scheme, which alone are seen."""
    begins = data["effective_at"].isoformat() if data["effective_at"] else None
    terms = {name: data[name] for name in SCHEMES[data["scheme"]][1] if data[name]}
    texts = {name: data[name] for name in ("unit", "feature", "model", "scheme", "note")}
    return {**texts, "terms": terms, "effective_at": begins}


class PriceFileForm(forms.Form):
    """A price list. What was uploaded goes to the preview's page and back, signed, so nothing is kept meanwhile."""

    file = forms.FileField(
        label="Price list",
        required=False,
        help_text="CSV or JSON, at most 1 MB. Drop it here, or choose it.",
        widget=forms.FileInput({"accept": ".csv,.json,text/csv,application/json", "class": "f-drop"}),
    )
    kept = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        """Take the file, or what was uploaded before."""
        given = super().clean() or {}
        if given.get("file"):
            name, content = given["file"].name, given["file"].read(MOST_BYTES + 1)
            kept = signing.dumps([name, content.decode("latin-1")], salt=SALT, compress=True)
            self.data = {**{key: self.data.get(key) for key in self.data}, "kept": kept}
        elif given.get("kept"):
            try:
                name, text = signing.loads(given["kept"], salt=SALT, max_age=LASTS_SECONDS)
            except signing.BadSignature:
                raise forms.ValidationError("The file has to be uploaded again.") from None
            content = text.encode("latin-1")
        elif "file" in self.errors:
            return {}
        else:
            self.add_error("file", "Choose a file.")
            return {}
        return {"name": name, "content": content}
