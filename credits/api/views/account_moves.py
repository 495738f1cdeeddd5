"""What moves one account: debits, top-ups, adjustments, holds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from credits import refusals
from credits.api import examples
from credits.api.calls import for_owner, memo, on_account
from credits.api.pages import Pages
from credits.api.requests import AdjustmentRequest, DebitRequest, HoldRequest, TopupRequest
from credits.api.schema import UNIT, describe
from credits.api.shapes import HoldOut, TransactionOut, print_hold, print_movement
from credits.api.views.base import ApiViewSet
from credits.models import GrantCategory, Hold, Scope
from credits.plan import LotTerms, Owner
from credits.plan.state import ZERO
from credits.services import holds, movements
from credits.services.history import reservation_of
from credits.services.locks import read_account

DEBIT = DebitRequest()
TOPUP = TopupRequest()
ADJUSTMENT = AdjustmentRequest()
HOLD = HoldRequest()


class MovesMixin(ApiViewSet):
    """Addresses below an account that move its credits."""

    scopes = {
        "debits": Scope.CREDITS_WRITE,
        "topups": Scope.CREDITS_WRITE,
        "adjustments": Scope.CREDITS_ADJUST,
        "place_hold": Scope.CREDITS_WRITE,
    }

    @describe(
        "Spend credits",
        tag="Credits",
        request=DebitRequest,
        asked=examples.DEBIT,
        answer=TransactionOut,
        status=201,
        example=examples.TRANSACTION,
        parameters=[UNIT],
        writes=True,
    )
    @action(detail=True, methods=["post"])
    def debits(self, request: Request, external_id: str) -> HttpResponse:
        """Drawn on lots by priority, then earliest expiry, then oldest. A 402 tells what is missing."""
        asked = DEBIT.read(request.data)
        why = memo(request, asked)
        return on_account(
            request,
            external_id,
            lambda once, account: movements.spend_credits(once=once, account=account, amount=asked["amount"], memo=why),
            print_movement,
        )

    @describe(
        "Add credits",
        tag="Credits",
        request=TopupRequest,
        asked=examples.TOPUP,
        answer=TransactionOut,
        status=201,
        example=examples.TOPUP_TRANSACTION,
        parameters=[UNIT],
        writes=True,
    )
    @action(detail=True, methods=["post"])
    def topups(self, request: Request, external_id: str) -> HttpResponse:
        """Opens a lot. With a reference the same payment credits once, whatever the Idempotency-Key."""
        asked = TOPUP.read(request.data)
        why = memo(request, asked)
        return on_account(
            request,
            external_id,
            lambda once, account: movements.add_credits(
                once=once, account=account, amount=asked["amount"], memo=why, terms=terms(asked)
            ),
            print_movement,
        )

    @describe(
        "Adjust a balance",
        tag="Credits",
        request=AdjustmentRequest,
        asked=examples.ADJUSTMENT,
        answer=TransactionOut,
        status=201,
        example=examples.ADJUSTMENT_TRANSACTION,
        parameters=[UNIT],
        writes=True,
    )
    @action(detail=True, methods=["post"])
    def adjustments(self, request: Request, external_id: str) -> HttpResponse:
        """By a difference, with a reason. Takes no more than is free, unless the rest may be owed."""
        asked = ADJUSTMENT.read(request.data)
        why = memo(request, asked)
        return on_account(
            request,
            external_id,
            lambda once, account: movements.adjust_balance(
                once=once, account=account, delta=asked["amount"], memo=why, allow_debt=asked["allow_debt"]
            ),
            print_movement,
        )

    @describe(
        "Holds of an account",
        tag="Holds",
        answer=HoldOut(many=True),
        example=examples.HOLD,
        parameters=[UNIT],
    )
    @action(detail=True, methods=["get"], filterset_class=None, pagination_class=Pages)
    def holds(self, request: Request, external_id: str) -> Response:
        """Newest first."""

        def page(owner: Owner) -> Response:
            read_account(owner.account)
            rows = Hold.objects.filter(account_id=owner.account)
            return self.answer_page(rows, lambda row: print_hold(reservation_of(row, owner)))

        return for_owner(request, external_id, page)

    @describe(
        "Set credits aside",
        tag="Holds",
        request=HoldRequest,
        asked=examples.HOLD_REQUEST,
        answer=HoldOut,
        status=201,
        example=examples.HOLD,
        parameters=[UNIT],
        writes=True,
    )
    @holds.mapping.post
    def place_hold(self, request: Request, external_id: str) -> HttpResponse:
        """For a charge whose amount is not known yet. It times out into its abandonment charge."""
        asked = HOLD.read(request.data)
        why = memo(request, asked)
        lasting = timedelta(seconds=asked.get("ttl_seconds", settings.HOLD_SECONDS))
        return on_account(
            request,
            external_id,
            lambda once, account: holds.hold_credits(
                once=once,
                account=account,
                amount=asked["amount"],
                memo=why,
                lasting=lasting,
                abandonment_charge=asked.get("abandonment_charge", ZERO),
            ),
            print_hold,
        )


def terms(asked: dict[str, Any]) -> LotTerms:
    """Return the terms that a request names for a lot. Raises InvalidField for a price without its currency."""
    if asked.get("paid_minor") and not asked.get("paid_currency"):
        raise refusals.InvalidField("paid_currency", "Say in which currency it was paid.")
    return LotTerms(
        category=GrantCategory(asked["category"]),
        priority=asked["priority"],
        expires_at=asked.get("expires_at"),
        transferable=asked["transferable"],
        paid_currency=asked.get("paid_currency", ""),
        paid_minor=asked.get("paid_minor", 0),
    )
