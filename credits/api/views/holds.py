"""One hold: look at, capture, extend, release."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from credits import refusals
from credits.api import examples
from credits.api.calls import memo, perform
from credits.api.requests import CaptureRequest, ExtendRequest, NothingRequest
from credits.api.schema import describe
from credits.api.shapes import CaptureOut, HoldOut, print_hold, print_movement
from credits.api.views.base import ApiViewSet
from credits.models import Hold, Scope
from credits.plan import Owner
from credits.services import clock, holds
from credits.services.history import reservation_of
from credits.services.locks import read_account

CAPTURE = CaptureRequest()
EXTEND = ExtendRequest()
NOTHING = NothingRequest()


class HoldViewSet(ApiViewSet):
    """Holds by their own id."""

    queryset = Hold.objects.select_related("account")
    lookup_value_regex = "[0-9a-fA-F-]{36}"
    serializer_class = HoldOut
    scopes = {
        "capture": Scope.CREDITS_WRITE,
        "extend": Scope.CREDITS_WRITE,
        "release": Scope.CREDITS_WRITE,
    }

    @describe("Look at a hold", tag="Holds", answer=HoldOut, example=examples.HOLD)
    def retrieve(self, request: Request, pk: str) -> Response:
        """As it is now: one whose time is up has timed out, posted or not."""
        row = self.get_queryset().filter(pk=hold_id(pk)).first()
        if row is None:
            raise refusals.UnknownHold("There is no such hold.")
        held = read_account(row.account_id).holds.get(row.pk)
        return Response(print_hold(held or reservation_of(row, Owner(row.account.external_id, row.account.unit_id))))

    @describe(
        "Capture a hold",
        tag="Holds",
        request=CaptureRequest,
        asked=examples.CAPTURE,
        answer=CaptureOut,
        status=201,
        example={"transaction": examples.CAPTURE_TRANSACTION, "hold": examples.HOLD},
        writes=True,
    )
    @action(detail=True, methods=["post"])
    def capture(self, request: Request, pk: str) -> HttpResponse:
        """Charge what was held, in one go or several; `final` frees the rest."""
        asked = CAPTURE.read(request.data)
        why = memo(request, asked)
        return perform(
            request,
            lambda once: holds.capture_hold(
                once=once, hold=hold_id(pk), amount=asked.get("amount"), memo=why, final=asked["final"]
            ),
            lambda result: {"transaction": print_movement(result[0]), "hold": print_hold(result[1])},
        )

    @describe(
        "Extend a hold",
        tag="Holds",
        request=ExtendRequest,
        asked={"ttl_seconds": 3600},
        answer=HoldOut,
        example=examples.HOLD,
        writes=True,
    )
    @action(detail=True, methods=["post"])
    def extend(self, request: Request, pk: str) -> HttpResponse:
        """Let it last longer, counted from now."""
        until = clock.now() + timedelta(seconds=EXTEND.read(request.data)["ttl_seconds"])
        return perform(
            request,
            lambda once: holds.extend_hold(once=once, hold=hold_id(pk), expires_at=until),
            print_hold,
            status=200,
        )

    @describe(
        "Release a hold",
        tag="Holds",
        request=NothingRequest,
        asked={},
        answer=HoldOut,
        example=examples.HOLD | {"status": "released", "remaining": 0, "lots": []},
        writes=True,
    )
    @action(detail=True, methods=["post"])
    def release(self, request: Request, pk: str) -> HttpResponse:
        """Free what it still sets aside."""
        NOTHING.read(request.data)
        return perform(request, lambda once: holds.release_hold(once=once, hold=hold_id(pk)), print_hold, status=200)


def hold_id(text: Any) -> UUID:
    """Return a hold's id. Raises UnknownHold for text that is none."""
    try:
        return UUID(str(text))
    except ValueError:
        raise refusals.UnknownHold("There is no such hold.") from None
