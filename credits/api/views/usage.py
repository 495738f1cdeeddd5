"""Use at a price: charged at once, many at a time, or held at the worst case."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from rest_framework.decorators import action
from rest_framework.request import Request

from credits.api import examples, use_examples
from credits.api.batch_requests import UsageBatchRequest
from credits.api.bodies import MOST_BODY
from credits.api.calls import memo, on_account
from credits.api.schema import describe
from credits.api.shapes import BatchOut, HoldOut, TransactionOut, print_hold, print_movement
from credits.api.use_requests import UsageHoldRequest, UsageRequest
from credits.api.use_requests import usage as use_of
from credits.api.views.base import ApiViewSet
from credits.api.views.batches import post_items
from credits.models import Scope
from credits.services import usage

USE = UsageRequest()
HOLD = UsageHoldRequest()


class UsageViewSet(ApiViewSet):
    """What was used, charged at the price in force."""

    serializer_class = TransactionOut
    scopes = dict.fromkeys(("create", "batch", "holds"), Scope.CREDITS_WRITE)
    max_body = MOST_BODY

    @describe(
        "Charge a use",
        tag="Usage",
        request=UsageRequest,
        asked=use_examples.USE,
        answer=TransactionOut,
        status=201,
        example=use_examples.USED,
        writes=True,
    )
    def create(self, request: Request) -> HttpResponse:
        """Prices and charges in one call, within the account's quotas. A `trace_id` charges once, for ever."""
        asked = USE.read(request.data)
        why = memo(request, asked)
        return on_account(
            request,
            asked["account"],
            lambda once, account: usage.charge_usage(once=once, account=account, usage=use_of(asked), memo=why),
            print_movement,
            unit=asked.get("unit"),
        )

    @describe(
        "Charge many uses",
        tag="Usage",
        request=UsageBatchRequest,
        asked=use_examples.USE_BATCH,
        answer=BatchOut,
        example=examples.BATCH_ANSWER,
        writes=True,
    )
    @action(detail=False, methods=["post"])
    def batch(self, request: Request) -> HttpResponse:
        """Up to 10,000, each judged in its turn as if it had come alone; with `atomic`, all or nothing."""
        return post_items(request, usual="usage")

    @describe(
        "Hold for a use",
        tag="Usage",
        request=UsageHoldRequest,
        asked=use_examples.USE_HOLD,
        answer=HoldOut,
        status=201,
        example=examples.HOLD,
        writes=True,
    )
    @action(detail=False, methods=["post"])
    def holds(self, request: Request) -> HttpResponse:
        """For a stream: sets the worst case aside at the price in force. Capture the real use; `final` frees the rest.

        If nobody comes back it times out into its abandonment charge.
        """
        asked = HOLD.read(request.data)
        why = memo(request, asked)
        lasting = timedelta(seconds=asked.get("ttl_seconds", settings.HOLD_SECONDS))
        percent: Any = asked.get("abandoned_percent")
        return on_account(
            request,
            asked["account"],
            lambda once, account: usage.hold_usage(
                once=once,
                account=account,
                usage=use_of(asked),
                memo=why,
                lasting=lasting,
                abandoned_percent=percent,
            ),
            print_hold,
            unit=asked.get("unit"),
        )
