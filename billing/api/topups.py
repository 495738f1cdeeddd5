"""Buying by itself: what an account does when it runs low."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api import examples
from billing.api.requests import AutoTopUpRequest
from billing.api.shapes import AutoTopUpOut, print_auto_topup
from billing.models import AutoTopUp
from billing.refusals import NoAutoTopUp
from billing.services import topups
from credits.api.calls import caller, for_owner
from credits.api.schema import describe
from credits.api.views.base import ApiViewSet
from credits.models import Account, Scope
from credits.plan import Owner
from credits.refusals import UnknownAccount

TAG = "Buying"
AUTO_TOPUP = AutoTopUpRequest()


class AutoTopUpViewSet(ApiViewSet):
    """What an account buys by itself."""

    scopes = {"set_terms": Scope.BILLING_WRITE, "switch_off": Scope.BILLING_WRITE}
    queryset = AutoTopUp.objects.select_related("account")
    serializer_class = AutoTopUpOut

    @describe("Read an auto top-up", tag=TAG, answer=AutoTopUpOut, example=examples.AUTO_TOPUP)
    def read(self, request: Request, external_id: str) -> Response:
        """Its terms, and how it has been going."""
        return for_owner(request, external_id, lambda owner: Response(print_auto_topup(_row(owner))))

    @describe(
        "Set an auto top-up",
        tag=TAG,
        request=AutoTopUpRequest,
        asked=examples.AUTO_TOPUP_ASKED,
        answer=AutoTopUpOut,
        example=examples.AUTO_TOPUP,
    )
    def set_terms(self, request: Request, external_id: str) -> Response:
        """From now on the account buys by its saved card when it runs below the threshold; also one that was off.

        The card is saved by a checkout or in the portal. One purchase is under way at a time; declines in a row make it
        wait longer each time, and then switch it off.
        """
        asked = AUTO_TOPUP.read(request.data)
        return for_owner(request, external_id, lambda owner: Response(print_auto_topup(_set(owner, asked))))

    @describe("Switch an auto top-up off", tag=TAG, answer=AutoTopUpOut, example=examples.AUTO_TOPUP_OFF)
    def switch_off(self, request: Request, external_id: str) -> HttpResponse:
        """Nothing is bought any more; what is under way still comes in."""

        def off(owner: Owner) -> Response:
            row = _row(owner)
            if row.enabled:
                topups.switch(row.pk, on=False, reason=f"Switched off by {caller(request).name}")
            return Response(print_auto_topup(_row(owner)))

        return for_owner(request, external_id, off)


def _set(owner: Owner, asked: dict[str, Any]) -> AutoTopUp:
    if not Account.objects.filter(pk=owner.account).exists():
        raise UnknownAccount("There is no such account.")
    return topups.set_auto_topup(
        account=owner.account,
        pack=asked["pack"],
        threshold=asked["threshold"],
        target=asked.get("target"),
        per_hour=asked.get("most_per_hour"),
        per_day=asked.get("most_per_day"),
    )


def _row(owner: Owner) -> AutoTopUp:
    row = AutoTopUp.objects.select_related("account").filter(pk=owner.account).first()
    if row is not None:
        return row
    if Account.objects.filter(pk=owner.account).exists():
        raise NoAutoTopUp("The account buys nothing by itself.")
    raise UnknownAccount("There is no such account.")
