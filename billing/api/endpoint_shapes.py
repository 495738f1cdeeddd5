"""What answers about webhook endpoints look like: functions that print, serializers that describe."""

from __future__ import annotations

from typing import Any

import orjson
from rest_framework import serializers

from billing.models import DeliveryStatus, EndpointStatus, WebhookDelivery, WebhookEndpoint


def print_endpoint(row: WebhookEndpoint) -> dict[str, Any]:
    """Return an endpoint, without any secret."""
    return {
        "id": row.pk,
        "owner": row.owner or None,
        "url": row.url,
        "description": row.description,
        "event_types": row.event_types,
        "status": row.status,
        "status_reason": row.status_reason or None,
        "failures": row.failures,
        "failing_since": row.failing_since,
        "last_success_at": row.last_success_at,
        "created_at": row.created_at,
    }


def print_made(row: WebhookEndpoint, secret: str | None = None) -> dict[str, Any]:
    """Return an endpoint with its new secret. What is kept for a repeated request has none."""
    return {**print_endpoint(row), "secret": secret}


def print_delivery(row: WebhookDelivery) -> dict[str, Any]:
    """Return a delivery, with what is sent to the letter."""
    return {
        "id": row.pk,
        "endpoint": row.endpoint_id,
        "message_id": row.message_id,
        "type": row.type,
        "status": row.status,
        "attempts": row.attempts,
        "answer_status": row.answer,
        "error": row.error or None,
        "answer_excerpt": row.excerpt,
        "milliseconds": row.milliseconds,
        "occurred_at": row.occurred_at,
        "created_at": row.created_at,
        "last_try_at": row.last_try_at,
        "done_at": row.done_at,
        "body": orjson.Fragment(row.body.encode()),
    }


class EndpointOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    owner = serializers.CharField(allow_null=True, help_text="Whose events; null is everybody's.")
    url = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    event_types = serializers.ListField(child=serializers.CharField(), help_text="Empty is all.")
    status = serializers.ChoiceField(EndpointStatus.choices)
    status_reason = serializers.CharField(allow_null=True)
    failures = serializers.IntegerField(help_text="How many tries failed in a row.")
    failing_since = serializers.DateTimeField(allow_null=True)
    last_success_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class EndpointMadeOut(EndpointOut):
    secret = serializers.CharField(
        allow_null=True, help_text="What webhooks are signed with. Told this once: a repeated request is told null."
    )


class DeliveryOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    endpoint = serializers.UUIDField()
    message_id = serializers.CharField(help_text="The header webhook-id: the same at every try.")
    type = serializers.CharField()
    status = serializers.ChoiceField(DeliveryStatus.choices)
    attempts = serializers.IntegerField()
    answer_status = serializers.IntegerField(allow_null=True, help_text="Null where no answer came.")
    error = serializers.CharField(allow_null=True)
    answer_excerpt = serializers.CharField(allow_blank=True)
    milliseconds = serializers.IntegerField(allow_null=True)
    occurred_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    last_try_at = serializers.DateTimeField(allow_null=True)
    done_at = serializers.DateTimeField(allow_null=True)
    body = serializers.DictField(help_text="What is sent.")


class ReplayedOut(serializers.Serializer[Any]):
    replayed = serializers.IntegerField(help_text="How many deliveries are sent again.")
