"""The bodies of requests about buying."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from credits.api.fields import AmountField, OwnerIdField, RequestSerializer, TextField

MOST_URL = 2000


@extend_schema_field({"type": "string", "format": "uri", "maxLength": MOST_URL, "pattern": "^https?://[^/ ]+"})
class AddressField(TextField):
    """Where a customer is sent back to."""

    default_error_messages = {"no_address": "An address that begins with https:// or http:// is required."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MOST_URL, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return the address."""
        text = super().to_internal_value(data)
        try:
            parts = urlsplit(text)
        except ValueError:
            self.fail("no_address")
        if parts.scheme not in {"https", "http"} or not parts.hostname or not text.isprintable() or " " in text:
            self.fail("no_address")
        return text


class CheckoutRequest(RequestSerializer):
    account = OwnerIdField(help_text="The owner's external_id.")
    pack = TextField(max_length=50, required=False, help_text="A pack's code; or else a plan.")
    plan = TextField(max_length=50, required=False, help_text="A plan's code; its newest version is meant.")
    trial = serializers.BooleanField(default=False, help_text="Begin with the plan's trial.")
    success_url = AddressField(help_text="Where the customer goes having paid.")
    cancel_url = AddressField(help_text="Where the customer goes who does not.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Require one of the two things to buy."""
        if bool(attrs.get("pack")) == bool(attrs.get("plan")):
            raise serializers.ValidationError({"pack": ["Say a pack or a plan, one of the two."]})
        return attrs


class PaymentRefundRequest(RequestSerializer):
    amount_minor = serializers.IntegerField(
        min_value=1, max_value=2**53, required=False, help_text="In minor units (cents); without it all that is left."
    )
    reason = TextField(max_length=255, help_text="Why, in words. Kept with it, not sent to the customer.")


class AutoTopUpRequest(RequestSerializer):
    pack = TextField(max_length=50, help_text="What is bought: a pack's code.")
    threshold = AmountField(help_text="It buys when less than this can be spent.")
    target = AmountField(
        required=False, help_text="As many packs as it takes to have this much again; without it one pack."
    )
    most_per_hour = serializers.IntegerField(min_value=1, max_value=100, required=False)
    most_per_day = serializers.IntegerField(min_value=1, max_value=1000, required=False)


class PortalRequest(RequestSerializer):
    account = OwnerIdField(help_text="The owner's external_id.")
    return_url = AddressField(help_text="Where the customer goes from there.")
