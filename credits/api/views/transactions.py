"""Transactions: list, look at, refund, reverse."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django_filters import rest_framework as filters
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from credits import refusals
from credits.api import examples
from credits.api.calls import memo, perform
from credits.api.pages import TransactionPages
from credits.api.requests import RefundRequest, ReverseRequest
from credits.api.schema import describe
from credits.api.shapes import TransactionOut, print_movement
from credits.api.views.base import ApiViewSet
from credits.models import Account, Scope, Transaction, TransactionKind, Unit
from credits.plan import Movement, Owner
from credits.services import corrections
from credits.services.history import movement_of

REFUND = RefundRequest()
REVERSE = ReverseRequest()


class TransactionFilter(filters.FilterSet):
    account = filters.CharFilter(method="of_owner", strip=False, label="The owner's external_id.")
    unit = filters.CharFilter(field_name="account__unit_id")
    kind = filters.MultipleChoiceFilter(choices=TransactionKind.choices)
    feature = filters.CharFilter()
    reference_type = filters.CharFilter()
    reference_id = filters.CharFilter()
    hold_id = filters.UUIDFilter(field_name="hold_id")
    parent_id = filters.UUIDFilter(field_name="parent_id")
    recorded_from = filters.IsoDateTimeFilter(field_name="recorded_at", lookup_expr="gte")
    recorded_to = filters.IsoDateTimeFilter(field_name="recorded_at", lookup_expr="lt")

    class Meta:
        model = Transaction
        fields: list[str] = []

    def of_owner(self, rows: Any, name: str, value: str) -> Any:
        """Keep the movements of an owner's accounts, in every unit."""
        derived = [Owner(value, unit).account for unit in Unit.objects.values_list("code", flat=True)]
        accounts = list(Account.objects.filter(pk__in=derived).values_list("pk", flat=True))
        # Said as an equality where it is one, so that the index on account and time gives them in order.
        return rows.filter(account_id=accounts[0]) if len(accounts) == 1 else rows.filter(account_id__in=accounts)


class TransactionViewSet(ApiViewSet):
    """Movements by their own id."""

    queryset = Transaction.objects.select_related("account")
    lookup_value_regex = "[0-9a-fA-F-]{36}"
    serializer_class = TransactionOut
    filterset_class = TransactionFilter
    pagination_class = TransactionPages
    scopes = {"refund": Scope.CREDITS_REFUND, "reverse": Scope.CREDITS_REFUND}

    @describe("List transactions", tag="Transactions", answer=TransactionOut(many=True), example=examples.TRANSACTION)
    def list(self, request: Request) -> Response:
        """Newest first, over all accounts or one."""
        if request.query_params.get("account") == "":
            raise refusals.InvalidField("account", "Name an account, or leave the filter out.")
        return self.answer_page(self.filter_queryset(self.get_queryset()), lambda row: print_movement(seen(row)))

    @describe("Look at a transaction", tag="Transactions", answer=TransactionOut, example=examples.TRANSACTION)
    def retrieve(self, request: Request, pk: str) -> Response:
        """It never changes."""
        row = self.get_queryset().filter(pk=transaction_id(pk)).first()
        if row is None:
            raise refusals.UnknownTransaction("There is no such transaction.")
        return Response(print_movement(seen(row)))

    @describe(
        "Refund a spend",
        tag="Transactions",
        request=RefundRequest,
        asked=examples.REFUND,
        answer=TransactionOut,
        status=201,
        example=examples.REFUND_TRANSACTION,
        writes=True,
    )
    @action(detail=True, methods=["post"], filterset_class=None)
    def refund(self, request: Request, pk: str) -> HttpResponse:
        """Whole or in part, back to the lots it came from; never more than was spent."""
        asked = REFUND.read(request.data)
        why = memo(request, asked)
        return perform(
            request,
            lambda once: corrections.refund_transaction(
                once=once, transaction=transaction_id(pk), amount=asked.get("amount"), memo=why
            ),
            print_movement,
        )

    @describe(
        "Reverse a movement",
        tag="Transactions",
        request=ReverseRequest,
        asked={"description": "Posted to the wrong account"},
        answer=TransactionOut,
        status=201,
        example=examples.REFUND_TRANSACTION | {"kind": "reversal"},
        writes=True,
    )
    @action(detail=True, methods=["post"], filterset_class=None)
    def reverse(self, request: Request, pk: str) -> HttpResponse:
        """Posts its opposite, whole and once; of a transfer, on both accounts."""
        asked = REVERSE.read(request.data)
        why = memo(request, asked)
        return perform(
            request,
            lambda once: corrections.reverse_transaction(
                once=once, transaction=transaction_id(pk), memo=why, allow_debt=asked["allow_debt"]
            ),
            print_movement,
        )


def seen(row: Transaction) -> Movement:
    """Return a stored transaction as it is printed."""
    return movement_of(row, Owner(row.account.external_id, row.account.unit_id))


def transaction_id(text: Any) -> UUID:
    """Return a transaction's id. Raises UnknownTransaction for text that is none."""
    try:
        return UUID(str(text))
    except ValueError:
        raise refusals.UnknownTransaction("There is no such transaction.") from None
