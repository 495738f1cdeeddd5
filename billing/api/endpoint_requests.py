"""The bodies of requests about webhook endpoints."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.api.requests import MOST_URL, AddressField
from credits.api.fields import MomentField, OwnerIdField, RequestSerializer, TextField
from credits.models import EventType

MOST_TYPES = 100
SWITCH = ("active", "disabled")


@extend_schema_field({"type": "string", "format": "uri", "maxLength": MOST_URL, "pattern": "^https?://[^/ ]+"})
class TargetField(AddressField):
    """Where webhooks go. Whether anything may be sent there is the service's to say."""


class TypesField(serializers.ListField):
    """Types of events."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=serializers.ChoiceField(EventType.choices), max_length=MOST_TYPES, **kwargs)

    def run_child_validation(self, data: Any) -> list[Any]:
        """Return the types. Tells what is wrong with the field and not with its places, which have no names."""
        try:
            return list(super().run_child_validation(data))
        except serializers.ValidationError as error:
            first: Any = next(iter(error.detail.values())) if isinstance(error.detail, dict) else error.detail
            raise serializers.ValidationError(first) from None


class EndpointRequest(RequestSerializer):
    url = TargetField(help_text="Where events are sent: https, on the public internet.")
    owner = OwnerIdField(
        required=False, help_text="Whose events: an external_id, in every unit. Without it everybody's."
    )
    event_types = TypesField(required=False, help_text="Which events are sent; empty is all.")
    description = TextField(max_length=255, required=False, allow_blank=True, help_text="For people.")


class EndpointPatch(RequestSerializer):
    url = TargetField(required=False, help_text="What waits goes there too.")
    event_types = TypesField(required=False, help_text="Which events are sent; empty is all.")
    description = TextField(max_length=255, required=False, allow_blank=True)
    status = serializers.ChoiceField(
        SWITCH, required=False, help_text="Disabled, it is sent nothing; what waits goes on waiting."
    )


class RotationRequest(RequestSerializer):
    overlap_hours = serializers.IntegerField(
        min_value=0, max_value=720, required=False,
        help_text="How long the old secret signs beside the new one; 0 where it has leaked.",
    )  # fmt: skip


class ReplayRequest(RequestSerializer):
    since = MomentField(required=False, help_text="Only what happened from then on.")


class NothingRequest(RequestSerializer):
    """An empty body."""
