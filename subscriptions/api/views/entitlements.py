"""What an account may use."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from credits.api.calls import for_owner
from credits.api.schema import UNIT, describe
from credits.api.views.base import ApiViewSet
from credits.plan import Owner
from credits.services.locks import read_with_holds
from subscriptions import queries
from subscriptions.api import examples
from subscriptions.api.shapes import EntitlementsOut, print_entitlements


class EntitlementsViewSet(ApiViewSet):
    """The plan of an account, the features it enables, and how much of them is left."""

    pagination_class = None
    serializer_class = EntitlementsOut

    @describe(
        "Entitlements of an account",
        tag="Subscriptions",
        answer=EntitlementsOut,
        example=examples.ENTITLEMENTS,
        parameters=[UNIT],
    )
    def retrieve(self, request: Request, external_id: str) -> Response:
        """As they are now, whether or not any clock ran. Without a subscription, those of the default plan."""

        def told(owner: Owner) -> Response:
            sheet = read_with_holds(owner.account)
            return Response(print_entitlements(sheet, queries.standing(sheet)))

        return for_owner(request, external_id, told)
