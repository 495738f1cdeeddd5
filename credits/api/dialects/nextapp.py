"""Dialect E: what the Next.js app's server calls, below ``/api/credits/{userId}``. Whole credits.

To it a user never seen has a balance of 0, an empty history, and is short.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from credits import units
from credits.amounts import number
from credits.api.calls import memo, owner_named, perform
from credits.api.fields import AmountField, MetadataField, OwnerIdField, PathIdField, RequestSerializer, TextField
from credits.api.schema import describe
from credits.api.shapes import AmountOut
from credits.api.views.account_reads import whole
from credits.api.views.base import ApiViewSet
from credits.models import Account, Scope, Transaction, TransactionKind
from credits.plan import Movement, Owner
from credits.plan.lots import check_step
from credits.refusals import InvalidField
from credits.services import movements
from credits.services.locks import read_account
from credits.services.transfers import transfer_credits

UNIT = "credits"
TAG = "Dialect E"
USER = "user_2abc"
DONE = {"success": True, "balance": 95}


class UserMoveRequest(RequestSerializer):
    amount = AmountField()
    description = TextField(max_length=500, required=False, allow_blank=True)
    metadata = MetadataField()

    def validate_amount(self, value: Decimal) -> Decimal:
        """Refuse a part of a credit, also where there is no account to refuse it."""
        try:
            check_step(UNIT, units.decimal_places(UNIT), value, "amount")
        except InvalidField as refusal:
            raise ValidationError(refusal.detail) from None
        return value


class UserTransferRequest(UserMoveRequest):
    to_user_id = OwnerIdField()


class UserCreditsOut(serializers.Serializer[Any]):
    user_id = serializers.CharField()
    balance = AmountOut()


class DoneOut(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    balance = AmountOut()


class UserEntryOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    user_id = serializers.CharField()
    type = serializers.ChoiceField(["EARN", "SPEND", "REFUND"])
    amount = AmountOut()
    balance = AmountOut()
    description = serializers.CharField()
    metadata = MetadataField(required=True)
    created_at = serializers.DateTimeField()


PATH_ID = PathIdField()
MOVE = UserMoveRequest()
TRANSFER = UserTransferRequest()


class NextAppViewSet(ApiViewSet):
    """The app's credit calls."""

    pagination_class = None
    scopes = dict.fromkeys(("add", "deduct", "transfer"), Scope.CREDITS_WRITE)

    @describe("Credits of a user", tag=TAG, answer=UserCreditsOut, example={"user_id": USER, "balance": 100})
    def balance(self, request: Request, user_id: str) -> Response:
        """0 for a user never seen."""
        account = _owner(user_id).account
        seen = Account.objects.filter(pk=account).exists()
        return Response({"user_id": user_id, "balance": number(read_account(account).balance) if seen else 0})

    @describe(
        "History of a user",
        tag=TAG,
        answer=UserEntryOut(many=True),
        example={
            "id": "019a9f10-5c00-7000-8000-000000000102",
            "user_id": USER,
            "type": "SPEND",
            "amount": -5,
            "balance": 95,
            "description": "Image",
            "metadata": {},
            "created_at": "2026-10-08T16:30:00Z",
        },
        parameters=[OpenApiParameter("limit", int)],
    )
    def history(self, request: Request, user_id: str) -> Response:
        """Newest first; amounts are signed."""
        limit = whole(request, "limit", 50, most=500)
        rows = Transaction.objects.filter(account_id=_owner(user_id).account).order_by("-sequence")[:limit]
        return Response([_entry(user_id, row) for row in rows])

    @describe(
        "Add credits to a user",
        tag=TAG,
        request=UserMoveRequest,
        asked={"amount": 50, "description": "Pack of 50"},
        answer=DoneOut,
        example={"success": True, "balance": 150},
        writes=True,
    )
    def add(self, request: Request, user_id: str) -> HttpResponse:
        """Opens the account where there is none."""
        asked = MOVE.read(request.data)
        owner, why = _owner(user_id), memo(request, asked)
        return perform(
            request,
            lambda once: movements.add_credits(
                once=once, account=owner.account, amount=asked["amount"], memo=why, owner=owner
            ),
            _done,
            status=200,
        )

    @describe(
        "Deduct credits from a user",
        tag=TAG,
        request=UserMoveRequest,
        asked={"amount": 5, "description": "Image"},
        answer=DoneOut,
        example=DONE,
        writes=True,
    )
    def deduct(self, request: Request, user_id: str) -> HttpResponse:
        """A 402 where credits are short, also for a user never seen."""
        asked = MOVE.read(request.data)
        owner, why = _owner(user_id), memo(request, asked)
        return perform(
            request,
            lambda once: movements.spend_credits(
                once=once, account=owner.account, amount=asked["amount"], memo=why, absent_is_empty=True
            ),
            _done,
            status=200,
        )

    @describe(
        "Transfer credits between users",
        tag=TAG,
        request=UserTransferRequest,
        asked={"to_user_id": "user_3def", "amount": 5, "description": "A gift"},
        answer=DoneOut,
        example=DONE,
        writes=True,
    )
    def transfer(self, request: Request, user_id: str) -> HttpResponse:
        """Both users or neither; the answer's balance is the giver's."""
        asked = TRANSFER.read(request.data)
        source, target = _owner(user_id), Owner(asked["to_user_id"], UNIT)
        if source == target:
            raise ValidationError({"to_user_id": ["A user cannot transfer to itself."]})
        why = memo(request, asked)
        return perform(
            request,
            lambda once: transfer_credits(
                once=once,
                source=source.account,
                target=target.account,
                amount=asked["amount"],
                memo=why,
                absent_is_empty=True,
            ),
            lambda legs: _done(legs[0]),
            status=200,
        )


def _owner(user_id: str) -> Owner:
    """Return a user's account. Raises ValidationError for an id that none could have."""
    return owner_named(PATH_ID.read("user_id", user_id), UNIT)


def _done(movement: Movement) -> dict[str, Any]:
    return {"success": True, "balance": number(movement.balance_after)}


def _entry(user_id: str, row: Transaction) -> dict[str, Any]:
    kind = "REFUND" if row.kind == TransactionKind.REFUND else "EARN" if row.amount > 0 else "SPEND"
    return {
        "id": row.pk,
        "user_id": user_id,
        "type": kind,
        "amount": number(row.amount),
        "balance": number(row.balance_after),
        "description": row.description,
        "metadata": row.metadata,
        "created_at": row.recorded_at,
    }
