"""Dialect C: merchants, and whether their plugin may be used."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from credits import refusals
from credits.amounts import number
from credits.api.calls import owner_named
from credits.api.fields import MetadataField
from credits.api.schema import describe
from credits.api.shapes import AmountOut
from credits.api.views.account_reads import whole
from credits.api.views.base import ApiViewSet
from credits.api.views.transactions import transaction_id
from credits.models import Account, Transaction, TransactionKind
from credits.plan import Actor
from credits.plan.news import low_at, source_of, usable
from credits.plan.state import ZERO
from credits.services.events import low_percent
from credits.services.locks import read_account
from credits.services.plugin_status import plugin_status
from credits.statistics import ADDED_KINDS, CONSUMED_KINDS, moved_by_kind

UNIT = "credits"
TAG = "Dialect C"
MERCHANT = "merchant-42"
STATUSES = ["enabled", "disabled"]
# Beyond so many, how many there are is not counted to the end.
MOST_COUNTED = 10_000
STATUS = {"merchant_id": MERCHANT, "status": "enabled", "balance": 110}
TRANSACTION = {
    "transaction_id": "019a9f10-5c00-7000-8000-000000000203",
    "merchant_id": MERCHANT,
    "type": "order",
    "amount": 10,
    "balance_before": 100,
    "balance_after": 110,
    "source": "shopify",
    "reference_type": "order",
    "reference_id": "5001",
    "description": "Order 5001",
    "metadata": {},
    "created_at": "2026-10-08T16:30:00Z",
}


class PluginStatusOut(serializers.Serializer[Any]):
    merchant_id = serializers.CharField()
    status = serializers.ChoiceField(STATUSES)
    balance = AmountOut()


class MerchantBalanceOut(serializers.Serializer[Any]):
    merchant_id = serializers.CharField()
    balance = AmountOut()
    held = AmountOut()
    available = AmountOut()
    currency = serializers.CharField()


class MerchantOut(MerchantBalanceOut):
    account_id = serializers.UUIDField()
    status = serializers.ChoiceField(STATUSES)
    low_balance_threshold = AmountOut(allow_null=True)
    total_granted = AmountOut()
    total_consumed = AmountOut()
    trial_credits = AmountOut()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class MerchantTransactionOut(serializers.Serializer[Any]):
    transaction_id = serializers.UUIDField()
    merchant_id = serializers.CharField()
    type = serializers.ChoiceField(TransactionKind.choices)
    amount = AmountOut()
    balance_before = AmountOut()
    balance_after = AmountOut()
    source = serializers.CharField()  # type: ignore[assignment]  # a field, not an option
    reference_type = serializers.CharField()
    reference_id = serializers.CharField()
    description = serializers.CharField()
    metadata = MetadataField()
    created_at = serializers.DateTimeField()


class MerchantTransactionsOut(serializers.Serializer[Any]):
    transactions = MerchantTransactionOut(many=True)
    page = serializers.IntegerField()
    limit = serializers.IntegerField()
    total = serializers.IntegerField(help_text=f"Counted up to {MOST_COUNTED}.")
    has_more = serializers.BooleanField()


class MerchantFilter(filters.FilterSet):
    merchant_id = filters.CharFilter(method="of_merchant", strip=False, label="The account's external_id.")
    type = filters.ChoiceFilter(field_name="kind", choices=TransactionKind.choices)
    reference_type = filters.CharFilter()

    class Meta:
        model = Transaction
        fields: list[str] = []

    def of_merchant(self, rows: Any, name: str, value: str) -> Any:
        """Keep the movements of a merchant."""
        return rows.filter(account_id=owner_named(value, UNIT).account)


class MerchantViewSet(ApiViewSet):
    """The predecessor's calls below ``/api/v1/credits``. They read: what changes credits comes as events."""

    queryset = Transaction.objects.filter(account__unit=UNIT).select_related("account")
    serializer_class = MerchantTransactionOut

    @describe("Whether a plugin is enabled", tag=TAG, answer=PluginStatusOut, example=STATUS)
    def plugin_status(self, request: Request, merchant_id: str) -> Response:
        """Enabled while the account is active and has credits. Kept for seconds, and never past a change."""
        status = plugin_status(owner_named(merchant_id, UNIT).account)
        told = _status(enabled=status.enabled)
        tell_status(request._request, told)
        return Response({"merchant_id": merchant_id, "status": told, "balance": number(status.balance)})

    @describe(
        "Account of a merchant",
        tag=TAG,
        answer=MerchantOut,
        example={
            **STATUS,
            "held": 0,
            "available": 110,
            "currency": UNIT,
            "account_id": "6f0e3a52-8a5f-5c7e-9a53-0d3c1f6b7a10",
            "low_balance_threshold": 22,
            "total_granted": 110,
            "total_consumed": 0,
            "trial_credits": 100,
            "created_at": "2026-10-01T09:00:00Z",
            "updated_at": "2026-10-08T16:30:00Z",
        },
    )
    def account(self, request: Request, merchant_id: str) -> Response:
        """With what it was granted and consumed in all."""
        account = Account.objects.filter(pk=owner_named(merchant_id, UNIT).account).first()
        if account is None:
            raise refusals.UnknownAccount("There is no such account.")
        sheet = read_account(account.pk)
        moved = moved_by_kind(account)
        threshold = low_at(account.low_balance_threshold, sheet.recharged_to, low_percent())
        return Response(
            {
                **_balance(merchant_id),
                "account_id": account.pk,
                "status": _status(enabled=usable(sheet.status, sheet.balance, sheet.overdraft_limit)),
                "low_balance_threshold": None if threshold is None else number(threshold),
                "total_granted": number(sum((moved.get(kind, ZERO) for kind in ADDED_KINDS), ZERO)),
                "total_consumed": number(-sum((moved.get(kind, ZERO) for kind in CONSUMED_KINDS), ZERO)),
                "trial_credits": number(moved.get(TransactionKind.TRIAL, ZERO)),
                "created_at": account.created_at,
                "updated_at": account.last_recorded_at or account.created_at,
            }
        )

    @describe(
        "Balance of a merchant",
        tag=TAG,
        answer=MerchantBalanceOut,
        example={"merchant_id": MERCHANT, "balance": 110, "held": 0, "available": 110, "currency": UNIT},
    )
    def balance(self, request: Request, merchant_id: str) -> Response:
        """In whole credits."""
        return Response(_balance(merchant_id))

    @describe(
        "Transactions of merchants",
        tag=TAG,
        answer=MerchantTransactionsOut,
        example={"transactions": [TRANSACTION], "page": 1, "limit": 50, "total": 1, "has_more": False},
        parameters=[
            OpenApiParameter("merchant_id", str),
            OpenApiParameter("type", str, enum=TransactionKind.values),
            OpenApiParameter("reference_type", str),
            OpenApiParameter("page", int),
            OpenApiParameter("limit", int),
        ],
        operation_id="merchant_transactions",
    )
    def transactions(self, request: Request) -> Response:
        """Newest first, page by page; of one merchant or all."""
        page = whole(request, "page", 1, least=1, most=100_000)
        limit = whole(request, "limit", 50, least=1, most=500)
        asked = MerchantFilter(request.query_params, self.get_queryset(), request=request)
        if not asked.is_valid():
            raise serializers.ValidationError(asked.errors)
        rows = asked.qs.order_by("-account_id", "-sequence") if "merchant_id" in request.query_params else asked.qs
        first = (page - 1) * limit
        found = list(rows[first : first + limit + 1])
        return Response(
            {
                "transactions": [_transaction(row) for row in found[:limit]],
                "page": page,
                "limit": limit,
                "total": asked.qs.order_by()[:MOST_COUNTED].count(),
                "has_more": len(found) > limit,
            }
        )

    @describe("A transaction of a merchant", tag=TAG, answer=MerchantTransactionOut, example=TRANSACTION)
    def transaction(self, request: Request, transaction: str) -> Response:
        """It never changes."""
        row = self.get_queryset().filter(pk=transaction_id(transaction)).first()
        if row is None:
            raise refusals.UnknownTransaction("There is no such transaction.")
        return Response(_transaction(row))


def tell_status(request: HttpRequest, status: str) -> None:
    """Let the request say what it answered, for those who count."""
    request.plugin_status = status  # type: ignore[attr-defined]


def _status(*, enabled: bool) -> str:
    return "enabled" if enabled else "disabled"


def _balance(merchant_id: str) -> dict[str, Any]:
    sheet = read_account(owner_named(merchant_id, UNIT).account)
    return {
        "merchant_id": merchant_id,
        "balance": number(sheet.balance),
        "held": number(sheet.held),
        "available": number(sheet.available),
        "currency": UNIT,
    }


def _transaction(row: Transaction) -> dict[str, Any]:
    return {
        "transaction_id": row.pk,
        "merchant_id": row.account.external_id,
        "type": row.kind,
        "amount": number(row.amount),
        "balance_before": number(row.balance_before),
        "balance_after": number(row.balance_after),
        "source": source_of(Actor(row.actor_kind, row.actor_id, row.actor_name)),
        "reference_type": row.reference_type,
        "reference_id": row.reference_id,
        "description": row.description,
        "metadata": row.metadata,
        "created_at": row.recorded_at,
    }
