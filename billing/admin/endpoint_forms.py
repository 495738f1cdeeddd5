"""What staff fills in about webhook endpoints."""

from __future__ import annotations

from django import forms
from django.conf import settings
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminTextInputWidget,
)

from credits.admin.forms import MomentField, WholeField
from credits.models import EventType


class TermsForm(forms.Form):
    url = forms.CharField(
        label="Address",
        max_length=2000,
        widget=UnfoldAdminTextInputWidget({"inputmode": "url", "placeholder": "https://"}),
        help_text="Where events are sent: https, on the public internet.",
    )
    description = forms.CharField(
        max_length=255, required=False, widget=UnfoldAdminTextInputWidget(), help_text="For people: whose, what for."
    )
    event_types = forms.MultipleChoiceField(
        label="Events",
        choices=EventType.choices,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
        help_text="Which are sent. None ticked: all.",
    )


class EndpointForm(TermsForm):
    owner = forms.CharField(
        label="Account (external id)",
        max_length=255,
        required=False,
        strip=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Whose events. Empty: everybody's. It cannot be changed later.",
    )

    field_order = ("url", "owner", "event_types", "description")


class RotationForm(forms.Form):
    overlap_hours = WholeField(
        label="Hours",
        min_value=0,
        max_value=720,
        help_text="How long the old secret signs beside the new one. 0 where it has leaked.",
    )

    @staticmethod
    def usual() -> dict[str, int]:
        """Return what it is filled with."""
        return {"overlap_hours": settings.WEBHOOK_OVERLAP_HOURS}


class ReplayForm(forms.Form):
    since = MomentField(
        label="Since (UTC)",
        required=False,
        help_text="Only what happened from then on. Empty: everything that failed and is still kept.",
    )
