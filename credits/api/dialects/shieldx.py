"""Dialect B: tenants with whole credits, and charges in two phases."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from credits import refusals
from credits.amounts import number
from credits.api.calls import memo, owner_named, perform
from credits.api.fields import AmountField, OwnerIdField, RequestSerializer, TextField
from credits.api.requests import MemoMixin
from credits.api.schema import describe
from credits.api.shapes import AmountOut
from credits.api.views.account_reads import whole
from credits.api.views.base import ApiViewSet
from credits.models import Account, Scope, Transaction
from credits.plan import Memo, Movement, Owner
from credits.services import holds, movements
from credits.services.locks import read_account

UNIT = "credits"
TAG = "Dialect B"
TENANT = "tenant-123"
TRANSACTION_ID = "019a9f10-5c00-7000-8000-000000000102"
RESERVATION_ID = "019a9f10-5c00-7000-8000-00000000000a"
MOVED = {
    "transaction_id": TRANSACTION_ID,
    "tenant_id": TENANT,
    "amount": 100,
    "balance_before": 50000,
    "balance_after": 49900,
    "timestamp": "2026-10-08T16:30:00Z",
}


class TenantRequest(MemoMixin):
    tenant_id = OwnerIdField()
    idempotency_key = TextField(max_length=255, required=False, help_text="For want of an Idempotency-Key header.")


class ConsumeRequest(TenantRequest):
    amount = AmountField()
    reference = TextField(max_length=255, required=False, allow_blank=True, help_text="Charges once, for ever.")


class AddRequest(TenantRequest):
    amount = AmountField()
    payment_id = TextField(max_length=255, required=False, allow_blank=True, help_text="Credits once, for ever.")


class ReserveRequest(TenantRequest):
    amount = AmountField()
    ttl_seconds = serializers.IntegerField(min_value=1, max_value=settings.HOLD_SECONDS_MAX, required=False)


class ReservationRequest(RequestSerializer):
    tenant_id = OwnerIdField()
    reservation_id = serializers.UUIDField()
    idempotency_key = TextField(max_length=255, required=False)


class TenantBalanceOut(serializers.Serializer[Any]):
    tenant_id = serializers.CharField()
    balance = AmountOut()
    currency = serializers.CharField()
    last_updated = serializers.DateTimeField()


class MovedOut(serializers.Serializer[Any]):
    transaction_id = serializers.UUIDField()
    tenant_id = serializers.CharField()
    amount = AmountOut()
    balance_before = AmountOut()
    balance_after = AmountOut()
    timestamp = serializers.DateTimeField()


class EntryOut(serializers.Serializer[Any]):
    transaction_id = serializers.UUIDField()
    tenant_id = serializers.CharField()
    type = serializers.ChoiceField(["debit", "credit"])
    amount = AmountOut()
    balance_after = AmountOut()
    description = serializers.CharField()
    timestamp = serializers.DateTimeField()


class PaginationOut(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()


class HistoryOut(serializers.Serializer[Any]):
    data = EntryOut(many=True)  # type: ignore[assignment]  # a field, not the data
    pagination = PaginationOut()


class ReservationOut(serializers.Serializer[Any]):
    reservation_id = serializers.UUIDField()
    tenant_id = serializers.CharField()
    amount = AmountOut()
    status = serializers.CharField()
    expires_at = serializers.DateTimeField()


CONSUME = ConsumeRequest()
ADD = AddRequest()
RESERVE = ReserveRequest()
RESERVATION = ReservationRequest()


class ShieldxViewSet(ApiViewSet):
    """The predecessor's calls below ``/api/v1/credits``."""

    lookup_field = "tenant_id"
    scopes = dict.fromkeys(("consume", "add", "reserve", "commit", "cancel"), Scope.CREDITS_WRITE)

    @describe(
        "Balance of a tenant",
        tag=TAG,
        answer=TenantBalanceOut,
        example={"tenant_id": TENANT, "balance": 50000, "currency": "credits", "last_updated": MOVED["timestamp"]},
    )
    def balance(self, request: Request, tenant_id: str) -> Response:
        """In whole credits."""
        account = tenant_account(tenant_id)
        sheet = read_account(account.pk)
        return Response(
            {
                "tenant_id": tenant_id,
                "balance": number(sheet.balance),
                "currency": UNIT,
                "last_updated": account.last_recorded_at or account.created_at,
            }
        )

    @describe(
        "History of a tenant",
        tag=TAG,
        answer=HistoryOut,
        example={
            "data": [
                {
                    "transaction_id": TRANSACTION_ID,
                    "tenant_id": TENANT,
                    "type": "debit",
                    "amount": 100,
                    "balance_after": 49900,
                    "description": "WAF inspection",
                    "timestamp": MOVED["timestamp"],
                }
            ],
            "pagination": {"total": 1500, "limit": 100, "offset": 0},
        },
        parameters=[OpenApiParameter("limit", int), OpenApiParameter("offset", int)],
    )
    def history(self, request: Request, tenant_id: str) -> Response:
        """Newest first; amounts are positive and ``type`` says which way they went."""
        limit = whole(request, "limit", 100, most=1000)
        offset = whole(request, "offset", 0, most=2**62)
        account = tenant_account(tenant_id)
        # Numbers have no gaps, so an offset is a number and needs no counting.
        newest = account.sequence - offset
        rows = Transaction.objects.filter(account_id=account.pk, sequence__lte=newest, sequence__gt=newest - limit)
        return Response(
            {
                "data": [_entry(tenant_id, row) for row in rows.order_by("-sequence")],
                "pagination": {"total": account.sequence, "limit": limit, "offset": offset},
            }
        )

    @describe(
        "Consume credits",
        tag=TAG,
        request=ConsumeRequest,
        asked={"tenant_id": TENANT, "amount": 100, "description": "WAF inspection", "metadata": {"service": "waf"}},
        answer=MovedOut,
        example=MOVED,
        writes=True,
    )
    @action(detail=False, methods=["post"])
    def consume(self, request: Request) -> HttpResponse:
        """A 402 where credits are short; then nothing is written."""
        asked = CONSUME.read(request.data)
        owner = owner_named(asked["tenant_id"], UNIT)
        why = _because(memo(request, asked), "reference", asked.get("reference"))
        return perform(
            request,
            lambda once: movements.spend_credits(once=once, account=owner.account, amount=asked["amount"], memo=why),
            _moved,
            status=200,
            key=asked.get("idempotency_key"),
        )

    @describe(
        "Add credits",
        tag=TAG,
        request=AddRequest,
        asked={"tenant_id": TENANT, "amount": 10000, "description": "Pack", "payment_id": "pay-xyz-abc"},
        answer=MovedOut,
        example=MOVED | {"amount": 10000, "balance_before": 49900, "balance_after": 59900},
        writes=True,
    )
    @action(detail=False, methods=["post"])
    def add(self, request: Request) -> HttpResponse:
        """Opens the account where there is none. The same payment credits once."""
        asked = ADD.read(request.data)
        owner = owner_named(asked["tenant_id"], UNIT)
        why = _because(memo(request, asked), "payment", asked.get("payment_id"))
        return perform(
            request,
            lambda once: movements.add_credits(
                once=once, account=owner.account, amount=asked["amount"], memo=why, owner=owner
            ),
            _moved,
            status=200,
            key=asked.get("idempotency_key"),
        )

    @describe(
        "Reserve credits",
        tag=TAG,
        request=ReserveRequest,
        asked={"tenant_id": TENANT, "amount": 100, "ttl_seconds": 300, "description": "Sandbox run"},
        answer=ReservationOut,
        example={
            "reservation_id": RESERVATION_ID,
            "tenant_id": TENANT,
            "amount": 100,
            "status": "open",
            "expires_at": "2026-10-08T16:35:00Z",
        },
        writes=True,
    )
    @action(detail=False, methods=["post"])
    def reserve(self, request: Request) -> HttpResponse:
        """The first phase: sets credits aside until they are committed, cancelled or time is up."""
        asked = RESERVE.read(request.data)
        owner, why = owner_named(asked["tenant_id"], UNIT), memo(request, asked)
        lasting = timedelta(seconds=asked.get("ttl_seconds", settings.HOLD_SECONDS))
        return perform(
            request,
            lambda once: holds.hold_credits(
                once=once, account=owner.account, amount=asked["amount"], memo=why, lasting=lasting
            ),
            lambda held: _reservation(held.id, owner, held.amount, held.status, held.expires_at),
            status=200,
            key=asked.get("idempotency_key"),
        )

    @describe(
        "Commit a reservation",
        tag=TAG,
        request=ReservationRequest,
        asked={"tenant_id": TENANT, "reservation_id": RESERVATION_ID},
        answer=MovedOut,
        example=MOVED,
        writes=True,
    )
    @action(detail=False, methods=["post"])
    def commit(self, request: Request) -> HttpResponse:
        """The second phase: charges what was reserved."""
        asked = RESERVATION.read(request.data)
        owner, why = owner_named(asked["tenant_id"], UNIT), memo(request, {})
        return perform(
            request,
            lambda once: holds.capture_hold(once=once, hold=asked["reservation_id"], memo=why, account=owner.account),
            lambda result: _moved(result[0]),
            status=200,
            key=asked.get("idempotency_key"),
        )

    @describe(
        "Cancel a reservation",
        tag=TAG,
        request=ReservationRequest,
        asked={"tenant_id": TENANT, "reservation_id": RESERVATION_ID},
        answer=ReservationOut,
        example={
            "reservation_id": RESERVATION_ID,
            "tenant_id": TENANT,
            "amount": 100,
            "status": "cancelled",
            "expires_at": "2026-10-08T16:35:00Z",
        },
        writes=True,
    )
    @action(detail=False, methods=["post"])
    def cancel(self, request: Request) -> HttpResponse:
        """Frees what was reserved."""
        asked = RESERVATION.read(request.data)
        owner = owner_named(asked["tenant_id"], UNIT)
        return perform(
            request,
            lambda once: holds.release_hold(once=once, hold=asked["reservation_id"], account=owner.account),
            lambda held: _reservation(held.id, owner, held.amount, "cancelled", held.expires_at),
            status=200,
            key=asked.get("idempotency_key"),
        )


def tenant_account(tenant_id: str) -> Account:
    """Return a tenant's account. Raises UnknownAccount."""
    account = Account.objects.filter(pk=owner_named(tenant_id, UNIT).account).first()
    if account is None:
        raise refusals.UnknownAccount("There is no such account.")
    return account


def _because(memo: Memo, kind: str, reference: str | None) -> Memo:
    return replace(memo, reference_type=kind, reference_id=reference) if reference else memo


def _moved(movement: Movement) -> dict[str, Any]:
    return {
        "transaction_id": movement.id,
        "tenant_id": movement.owner.external_id,
        "amount": number(abs(movement.amount)),
        "balance_before": number(movement.balance_before),
        "balance_after": number(movement.balance_after),
        "timestamp": movement.recorded_at,
    }


def _entry(tenant_id: str, row: Transaction) -> dict[str, Any]:
    return {
        "transaction_id": row.pk,
        "tenant_id": tenant_id,
        "type": "credit" if row.amount > 0 else "debit",
        "amount": number(abs(row.amount)),
        "balance_after": number(row.balance_after),
        "description": row.description,
        "timestamp": row.recorded_at,
    }


def _reservation(held: UUID, owner: Owner, amount: Any, status: str, expires_at: datetime) -> dict[str, Any]:
    return {
        "reservation_id": held,
        "tenant_id": owner.external_id,
        "amount": number(amount),
        "status": status,
        "expires_at": expires_at,
    }
