"""Dialect D: an AI trace is charged at what the gateway says it cost. Whole credits."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request

from billing.services.token_usage import TraceUse, charge_trace
from credits.amounts import number
from credits.api.calls import memo, owner_named, perform
from credits.api.fields import OwnerIdField, RequestSerializer, TextField, ZeroOrMoreField
from credits.api.schema import describe
from credits.api.shapes import AmountOut
from credits.api.views.base import ApiViewSet
from credits.models import Scope
from credits.plan import Movement

UNIT = "credits"
TAG = "Dialect D"
MOST_USD = 10_000
USED = {"userId": "66f1c0ffee66f1c0ffee66f1", "traceId": "trace-7f3a"}


@extend_schema_field({"type": "number", "minimum": 0, "maximum": MOST_USD, "nullable": True})
class DollarField(ZeroOrMoreField):
    """A cost in US dollars, exact."""

    default_error_messages = {"too_dear": f"The cost must not exceed {MOST_USD} US dollars."}

    def check_sign(self, amount: Decimal) -> None:
        """Refuse what no trace costs, besides what is negative."""
        super().check_sign(amount)
        if amount > MOST_USD:
            self.fail("too_dear")


class TokenUsedRequest(RequestSerializer):
    userId = OwnerIdField(help_text="Whose account.")
    traceId = TextField(max_length=255, help_text="The gateway's trace. It charges once, for ever.")
    agentId = TextField(max_length=255, required=False, allow_blank=True, allow_null=True)
    websearchCost = DollarField(required=False, allow_null=True, help_text="In US dollars, besides the trace's cost.")

    def validate_traceId(self, value: str) -> str:
        """Refuse a comma: the gateway would take it for a list of traces."""
        if "," in value:
            raise serializers.ValidationError("One trace: an id holds no comma.")
        return value


class TokenUsedOut(serializers.Serializer[Any]):
    traceId = serializers.CharField()
    totalCostUsd = serializers.CharField()
    totalToken = AmountOut(help_text="The credits moved: negative for a charge.")
    transactionStatus = serializers.ChoiceField(["Success"])


TOKEN_USED = TokenUsedRequest()


class TokenUsageViewSet(ApiViewSet):
    """The predecessor's one call."""

    scopes = {"token_used": Scope.CREDITS_WRITE}

    @describe(
        "Charge an AI trace",
        tag=TAG,
        request=TokenUsedRequest,
        asked={**USED, "agentId": "writer", "websearchCost": 0.01},
        answer=TokenUsedOut,
        status=201,
        example={
            "traceId": USED["traceId"],
            "totalCostUsd": "0.012345",
            "totalToken": -1,
            "transactionStatus": "Success",
        },
        writes=True,
    )
    @action(detail=False, methods=["post"])
    def token_used(self, request: Request) -> HttpResponse:
        """Asks the gateway what the trace cost, and charges it in credits, rounded up. The same trace again gets the
        first answer; its cost may be known only some moments after the trace: until then the answer is a 404.
        """
        asked = TOKEN_USED.read(request.data)
        owner = owner_named(asked["userId"], UNIT)
        use = TraceUse(asked["traceId"], asked.get("agentId") or "", asked.get("websearchCost") or Decimal(0))
        why = memo(request, {"description": "AI usage"})
        return perform(request, lambda once: charge_trace(once=once, owner=owner, use=use, memo=why), _charged)


def _charged(movement: Movement) -> dict[str, Any]:
    return {
        "traceId": movement.memo.reference_id,
        "totalCostUsd": movement.memo.metadata["total_cost_usd"],
        "totalToken": number(movement.amount),
        "transactionStatus": "Success",
    }
