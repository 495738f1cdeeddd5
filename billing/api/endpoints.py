"""Webhook endpoints: where events are sent, what became of each, and sending again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpResponse
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiParameter
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from billing import refusals
from billing.api import endpoint_examples as examples
from billing.api.endpoint_requests import (
    EndpointPatch,
    EndpointRequest,
    NothingRequest,
    ReplayRequest,
    RotationRequest,
)
from billing.api.endpoint_shapes import (
    DeliveryOut,
    EndpointMadeOut,
    EndpointOut,
    ReplayedOut,
    print_delivery,
    print_endpoint,
    print_made,
)
from billing.models import DeliveryStatus, EndpointStatus, WebhookDelivery, WebhookEndpoint
from billing.services import endpoints, replays
from billing.tasks import nudge_news
from credits.api.calls import caller, perform
from credits.api.schema import describe
from credits.api.views.base import ApiViewSet
from credits.models import Scope
from credits.refusals import InvalidField
from credits.services.once import Once, Replay, keep

TAG = "Webhooks"
WRITES = {"create", "partial_update", "destroy", "rotate_secret", "test", "replay", "replay_one"}
ENDPOINT, PATCH, ROTATION = EndpointRequest(), EndpointPatch(), RotationRequest()
NOTHING, REPLAY = NothingRequest(), ReplayRequest()
MOST_DELIVERY = 2**63 - 1
DELIVERY_ID = OpenApiParameter(
    "delivery", {"type": "integer", "minimum": 1, "maximum": MOST_DELIVERY}, OpenApiParameter.PATH
)  # fmt: skip
STATUS = OpenApiParameter("status", str, enum=DeliveryStatus.values, description="Only those.")


class EndpointFilter(filters.FilterSet):
    owner = filters.CharFilter(strip=False, label="Whose events are sent: an external_id.")

    class Meta:
        model = WebhookEndpoint
        fields: list[str] = []


class EndpointViewSet(ApiViewSet):
    """Where events are sent, and what became of each."""

    queryset = WebhookEndpoint.objects.exclude(status=EndpointStatus.DELETED)
    serializer_class = EndpointOut
    filterset_class = EndpointFilter
    scopes = dict.fromkeys(WRITES, Scope.WEBHOOKS_WRITE)
    lookup_value_regex = "[^/]+"

    @describe("List webhook endpoints", tag=TAG, answer=EndpointOut(many=True), example=examples.ENDPOINT)
    def list(self, request: Request) -> Response:
        """Newest first."""
        return self.answer_page(self.filter_queryset(self.get_queryset()), print_endpoint)

    @describe(
        "Add a webhook endpoint",
        tag=TAG,
        request=EndpointRequest,
        asked=examples.ENDPOINT_ASKED,
        answer=EndpointMadeOut,
        status=201,
        example=examples.ENDPOINT_MADE,
        writes=True,
    )
    def create(self, request: Request) -> HttpResponse:
        """It is sent what happens from now on, each event once and in order, signed as Standard Webhooks are.

        The answer has the secret, which is told only here.
        """
        asked = ENDPOINT.read(request.data)
        return self._with_secret(
            request,
            lambda: endpoints.make_endpoint(
                url=asked["url"],
                owner=asked.get("owner", ""),
                event_types=asked.get("event_types", []),
                description=asked.get("description", ""),
                created_by=caller(request).name,
            ),
        )

    @describe("Read a webhook endpoint", tag=TAG, answer=EndpointOut, example=examples.ENDPOINT)
    def retrieve(self, request: Request, pk: str) -> Response:
        """How it has been going."""
        return Response(print_endpoint(self._row(pk)))

    @describe(
        "Change a webhook endpoint",
        tag=TAG,
        request=EndpointPatch,
        asked=examples.ENDPOINT_PATCHED,
        answer=EndpointOut,
        example=examples.ENDPOINT,
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        """Its address, filter or description; or disable it, and enable it again: then its failures are forgotten."""
        asked = PATCH.read(request.data)
        row, status = self._row(pk), asked.pop("status", None)
        with transaction.atomic():
            row = endpoints.change_endpoint(row, **asked)
            if status == EndpointStatus.DISABLED:
                row = endpoints.disable_endpoint(row, reason=f"Disabled by {caller(request).name}")
            elif status == EndpointStatus.ACTIVE:
                row = endpoints.enable_endpoint(row)
                transaction.on_commit(nudge_news)
        return Response(print_endpoint(row))

    @describe("Delete a webhook endpoint", tag=TAG, answer=EndpointOut, example=examples.ENDPOINT_DELETED)
    def destroy(self, request: Request, pk: str) -> Response:
        """Nothing is sent there any more, not even what waits. It cannot be brought back."""
        row = endpoints.delete_endpoint(self._row(pk), reason=f"Deleted by {caller(request).name}")
        return Response(print_endpoint(row))

    @describe(
        "Rotate the signing secret",
        tag=TAG,
        request=RotationRequest,
        asked=examples.ROTATION_ASKED,
        answer=EndpointMadeOut,
        status=201,
        example=examples.ENDPOINT_MADE,
        writes=True,
    )
    @action(detail=True, methods=["post"], url_path="rotate-secret")
    def rotate_secret(self, request: Request, pk: str) -> HttpResponse:
        """A new secret, told only here. Until the old one has expired, webhooks carry a signature of each."""
        row, hours = self._row(pk), ROTATION.read(request.data).get("overlap_hours")
        overlap = None if hours is None else timedelta(hours=hours)
        return self._with_secret(request, lambda: endpoints.rotate_secret(row, overlap=overlap))

    @describe(
        "Test a webhook endpoint",
        tag=TAG,
        request=NothingRequest,
        asked={},
        answer=DeliveryOut,
        status=201,
        example={**examples.DELIVERY, "type": replays.PING},
        writes=True,
    )
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> HttpResponse:
        """Send `evt.webhooks.ping` now, past all that waits, and tell what came of it. It is tried once."""
        NOTHING.read(request.data)
        row = self._row(pk)
        return perform(request, lambda once: replays.ping_endpoint(row, once=once), print_delivery)

    @describe(
        "List deliveries",
        tag=TAG,
        answer=DeliveryOut(many=True),
        example=examples.DELIVERY,
        parameters=[STATUS],
        filters=False,
    )
    @action(detail=True, methods=["get"])
    def deliveries(self, request: Request, pk: str) -> Response:
        """Newest first. Pending ones are sent from the oldest on; while one fails, those behind it wait."""
        rows = WebhookDelivery.objects.filter(endpoint=self._row(pk))
        status = request.query_params.get("status")
        if status and status not in DeliveryStatus.values:
            raise InvalidField("status", f"One of {', '.join(DeliveryStatus.values)}.")
        return self.answer_page(rows.filter(status=status) if status else rows, print_delivery)

    @describe(
        "Send again what failed",
        tag=TAG,
        request=ReplayRequest,
        asked={"since": "2026-10-08T00:00:00Z"},
        answer=ReplayedOut,
        status=201,
        example=examples.REPLAYED,
        writes=True,
    )
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: str) -> HttpResponse:
        """Everything that failed, or that failed of what happened since, in order and under the same ids."""
        row, since = self._row(pk), REPLAY.read(request.data).get("since")
        return self._perform(
            request, lambda: replays.replay_failed(row, since=since), lambda count: {"replayed": count}
        )

    @describe(
        "Send a delivery again",
        tag=TAG,
        request=NothingRequest,
        asked={},
        answer=DeliveryOut,
        status=201,
        example={**examples.DELIVERY, "status": "pending", "done_at": None},
        parameters=[DELIVERY_ID],
        writes=True,
    )
    @action(detail=True, methods=["post"], url_path="deliveries/(?P<delivery>[0-9]{1,18})/replay")
    def replay_one(self, request: Request, pk: str, delivery: str) -> HttpResponse:
        """Whatever became of it, before those that wait, under the same id."""
        NOTHING.read(request.data)
        row = WebhookDelivery.objects.filter(endpoint=self._row(pk), pk=int(delivery)).first()
        if row is None:
            raise refusals.UnknownDelivery("There is no such delivery of this endpoint.")

        def again() -> WebhookDelivery:
            replays.replay_delivery(row)
            row.refresh_from_db()
            return row

        return self._perform(request, again, print_delivery)

    def _row(self, pk: str) -> WebhookEndpoint:
        row = self.get_queryset().filter(pk=pk).first() if _is_id(pk) else None
        if row is None:
            raise refusals.UnknownEndpoint("There is no such webhook endpoint.")
        found: WebhookEndpoint = row
        return found

    def _perform(self, request: Request, act: Callable[[], Any], show: Callable[[Any], Any]) -> HttpResponse:
        """Do something in a transaction, once for its key, and let a worker know."""

        def done() -> Any:
            transaction.on_commit(nudge_news)
            return act()

        return perform(request, lambda once: keep(once=once, act=done), show)

    def _with_secret(self, request: Request, act: Callable[[], tuple[WebhookEndpoint, str]]) -> HttpResponse:
        """Answer with a secret that no record of the answer has."""
        made: list[tuple[WebhookEndpoint, str]] = []

        def make() -> WebhookEndpoint:
            made[:] = [act()]
            return made[0][0]

        def kept(once: Once | None) -> WebhookEndpoint:
            try:
                return keep(once=once, act=make)
            except Replay:
                # What was made here went back: another was first.
                made.clear()
                raise

        answer = perform(request, kept, print_made)
        return Response(print_made(*made[0]), status=201) if made else answer


def _is_id(text: str) -> bool:
    try:
        return bool(UUID(text))
    except ValueError:
        return False
