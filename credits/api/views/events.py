"""Events: what the world heard, and what each type of them says."""

from __future__ import annotations

from typing import Any

import orjson
from django.db.models import TextField
from django.db.models.functions import Cast
from django_filters import rest_framework as filters
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from credits import eventtypes, refusals
from credits.api.schema import ACCOUNT, describe
from credits.api.views.base import ApiViewSet
from credits.api.views.transactions import TransactionFilter
from credits.models import Event

EVENT = {
    "id": 4711,
    "type": "evt.credits.recharged",
    "version": 1,
    "recorded_at": "2026-10-08T16:30:00Z",
    "payload": {
        "merchant_id": ACCOUNT,
        "account_id": "6f0e3a52-8a5f-5c7e-9a53-0d3c1f6b7a10",
        "unit": "credits",
        "transaction_id": "019a9f10-5c00-7000-8000-000000000203",
        "sequence": 2,
        "kind": "order",
        "amount": 10,
        "new_balance": 110,
        "debt": 0,
        "source": "shopify",
        "reference_type": "order",
        "reference_id": "5001",
        "feature": "",
        "recorded_at": "2026-10-08T16:30:00+00:00",
    },
}
EVENT_TYPE = {"type": "evt.credits.recharged", "version": 1, "schema": {"title": "Credits came in", "type": "object"}}


class UnknownEvent(refusals.Refusal):
    status, code, title, stored = 404, "event_not_found", "There is no such event.", False


class EventOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    type = serializers.CharField()
    version = serializers.IntegerField()
    recorded_at = serializers.DateTimeField()
    payload = serializers.DictField(help_text="By the schema of its type and version.")


class EventTypeOut(serializers.Serializer[Any]):
    type = serializers.CharField()
    version = serializers.IntegerField()
    schema = serializers.DictField(help_text="JSON Schema of the payload.")


class EventTypesOut(serializers.Serializer[Any]):
    results = EventTypeOut(many=True)


class TextsFilter(filters.BaseInFilter, filters.CharFilter):
    """Several texts, by comma; each is judged as a text is."""


class EventFilter(filters.FilterSet):
    account = filters.CharFilter(method="of_owner", strip=False, label="The owner's external_id.")
    unit = filters.CharFilter(field_name="account__unit_id")
    type = TextsFilter(label="One or several, by comma.")
    recorded_from = filters.IsoDateTimeFilter(field_name="recorded_at", lookup_expr="gte")
    recorded_to = filters.IsoDateTimeFilter(field_name="recorded_at", lookup_expr="lt")

    class Meta:
        model = Event
        fields: list[str] = []

    of_owner = TransactionFilter.of_owner


class EventViewSet(ApiViewSet):
    """What happened, as it was told."""

    queryset = Event.objects.annotate(text=Cast("payload", TextField())).defer("payload")
    lookup_value_regex = "[0-9]{1,18}"
    serializer_class = EventOut
    filterset_class = EventFilter

    @describe("List events", tag="Events", answer=EventOut(many=True), example=EVENT)
    def list(self, request: Request) -> Response:
        """Newest first, over all accounts or one; kept for EVENT_DAYS."""
        return self.answer_page(self.filter_queryset(self.get_queryset()), print_event)

    @describe("Look at an event", tag="Events", answer=EventOut, example=EVENT)
    def retrieve(self, request: Request, pk: str) -> Response:
        """It never changes."""
        row = self.get_queryset().filter(pk=int(pk)).first()
        if row is None:
            raise UnknownEvent("There is no such event.")
        return Response(print_event(row))


class EventTypeViewSet(ApiViewSet):
    """What events say."""

    serializer_class = EventTypesOut
    pagination_class = None

    @describe("List types of events", tag="Events", answer=EventTypesOut, example={"results": [EVENT_TYPE]})
    def types(self, request: Request) -> Response:
        """Each version with the JSON schema of its payload. On NATS the type is the subject."""
        found = eventtypes.described().values()
        return Response(
            {"results": [{"type": each.type, "version": each.version, "schema": each.schema} for each in found]}
        )


def print_event(row: Any) -> dict[str, Any]:
    """Return an event, its payload to the letter as it is kept."""
    return {
        "id": row.pk,
        "type": row.type,
        "version": row.version,
        "recorded_at": row.recorded_at,
        "payload": orjson.Fragment(row.text.encode()),
    }
