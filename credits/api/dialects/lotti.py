"""Dialect A: an account ledger in US dollars, named by ``user_id`` in the body."""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from credits.amounts import number
from credits.api.calls import memo, owner_named, perform
from credits.api.fields import AmountField, OwnerIdField, RequestSerializer
from credits.api.requests import MemoMixin
from credits.api.schema import describe
from credits.api.shapes import AmountOut
from credits.api.views.base import ApiViewSet
from credits.models import Scope
from credits.services import movements
from credits.services.locks import read_account

UNIT = "USD"
TAG = "Dialect A"
USER = "john@example.com"


class UserRequest(RequestSerializer):
    user_id = OwnerIdField()


class UserAmountRequest(MemoMixin):
    user_id = OwnerIdField()
    amount = AmountField(help_text="In US dollars, to the millionth.")


class UserBalanceOut(serializers.Serializer[object]):
    user_id = serializers.CharField()
    balance = AmountOut()


class ToppedUpOut(serializers.Serializer[object]):
    user_id = serializers.CharField()
    amount_added = AmountOut()
    new_balance = AmountOut()


class BilledOut(serializers.Serializer[object]):
    user_id = serializers.CharField()
    amount_billed = AmountOut()
    new_balance = AmountOut()


ONE_USER = UserRequest()
USER_AMOUNT = UserAmountRequest()


class LottiViewSet(ApiViewSet):
    """The predecessor's calls. Opening an account is the native address, which takes ``user_id`` too."""

    scopes = {"topup": Scope.CREDITS_WRITE, "bill": Scope.CREDITS_WRITE}

    @describe(
        "Balance of a user",
        tag=TAG,
        request=UserRequest,
        asked={"user_id": USER},
        answer=UserBalanceOut,
        example={"user_id": USER, "balance": 99.75},
    )
    @action(detail=False, methods=["post"])
    def balance(self, request: Request) -> Response:
        """In US dollars."""
        user = ONE_USER.read(request.data)["user_id"]
        return Response({"user_id": user, "balance": number(read_account(owner_named(user, UNIT).account).balance)})

    @describe(
        "Top up a user",
        tag=TAG,
        request=UserAmountRequest,
        asked={"user_id": USER, "amount": 100.0},
        answer=ToppedUpOut,
        example={"user_id": USER, "amount_added": 100, "new_balance": 100},
        writes=True,
    )
    @action(detail=False, methods=["post"])
    def topup(self, request: Request) -> HttpResponse:
        """Adds a paid lot."""
        asked = USER_AMOUNT.read(request.data)
        owner, why = owner_named(asked["user_id"], UNIT), memo(request, asked)
        return perform(
            request,
            lambda once: movements.add_credits(once=once, account=owner.account, amount=asked["amount"], memo=why),
            lambda movement: {
                "user_id": owner.external_id,
                "amount_added": number(movement.amount),
                "new_balance": number(movement.balance_after),
            },
            status=200,
        )

    @describe(
        "Bill a user",
        tag=TAG,
        request=UserAmountRequest,
        asked={"user_id": USER, "amount": 0.25, "description": "Gemini API call"},
        answer=BilledOut,
        example={"user_id": USER, "amount_billed": 0.25, "new_balance": 99.75},
        writes=True,
    )
    @action(detail=False, methods=["post"])
    def bill(self, request: Request) -> HttpResponse:
        """Charges exactly: $0.000125 is $0.000125."""
        asked = USER_AMOUNT.read(request.data)
        owner, why = owner_named(asked["user_id"], UNIT), memo(request, asked)
        return perform(
            request,
            lambda once: movements.spend_credits(once=once, account=owner.account, amount=asked["amount"], memo=why),
            lambda movement: {
                "user_id": owner.external_id,
                "amount_billed": number(-movement.amount),
                "new_balance": number(movement.balance_after),
            },
            status=200,
        )
