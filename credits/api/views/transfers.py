"""Transfers between two accounts."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponse
from rest_framework.request import Request

from credits.api import examples
from credits.api.calls import check_unit, memo, perform
from credits.api.requests import TransferRequest
from credits.api.schema import describe
from credits.api.shapes import TransferOut, print_movement
from credits.api.views.base import ApiViewSet
from credits.models import Scope
from credits.plan import Owner
from credits.services.transfers import transfer_credits

TRANSFER = TransferRequest()


class TransferViewSet(ApiViewSet):
    """Transfers are movements like any other; here they are made."""

    serializer_class = TransferOut
    scopes = {"create": Scope.CREDITS_WRITE}

    @describe(
        "Transfer credits",
        tag="Credits",
        request=TransferRequest,
        asked=examples.TRANSFER,
        answer=TransferOut,
        status=201,
        example={"source": examples.TRANSFER_OUT, "target": examples.TRANSFER_IN},
        writes=True,
    )
    def create(self, request: Request) -> HttpResponse:
        """Both accounts or neither. Lots keep their expiry and category; those not transferable stay."""
        asked = TRANSFER.read(request.data)
        unit = asked.get("unit", settings.DEFAULT_UNIT)
        check_unit(unit)
        source, target = Owner(asked["source"], unit), Owner(asked["target"], unit)
        why = memo(request, asked)
        return perform(
            request,
            lambda once: transfer_credits(
                once=once, source=source.account, target=target.account, amount=asked["amount"], memo=why
            ),
            lambda legs: {"source": print_movement(legs[0]), "target": print_movement(legs[1])},
        )
