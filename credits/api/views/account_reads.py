"""What can be read of one account: balance, statement, lots, holds."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.http import StreamingHttpResponse
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from credits import queries, refusals
from credits.amounts import number
from credits.api import examples
from credits.api.calls import for_owner
from credits.api.pages import Pages
from credits.api.schema import UNIT, describe
from credits.api.shapes import BalanceOut, GrantOut, StatementOut, print_grant, print_movement
from credits.api.views.base import ApiViewSet
from credits.models import Account, Grant, Transaction
from credits.plan import Owner
from credits.services.history import movement_of
from credits.services.locks import read_account
from credits.texts import safe

MOST_ROWS = 500
COLUMNS = (
    "sequence", "recorded_at", "kind", "amount", "balance_after", "debt", "description", "feature", "reference_type",
    "reference_id", "reason", "actor_kind", "actor_name", "id",
)  # fmt: skip
SINCE = OpenApiParameter("from", datetime, description="From this moment.")
UNTIL = OpenApiParameter("to", datetime, description="Before this moment.")


class ReadsMixin(ApiViewSet):
    """Addresses below an account that write nothing."""

    @describe(
        "Balance of an account",
        tag="Accounts",
        answer=BalanceOut,
        example=examples.BALANCE,
        parameters=[UNIT, OpenApiParameter("at", datetime, description="As it was recorded at this past moment.")],
    )
    @action(detail=True, methods=["get"])
    def balance(self, request: Request, external_id: str) -> Response:
        """As it is now, or with `at` as it was recorded then (only `balance` is told of the past)."""
        at = moment(request, "at")
        return for_owner(request, external_id, lambda owner: Response(_balance(owner, at)))

    @describe(
        "Lots of an account",
        tag="Accounts",
        answer=GrantOut(many=True),
        example=examples.GRANT,
        parameters=[UNIT, OpenApiParameter("open", bool, description="Only lots that have something left.")],
    )
    @action(detail=True, methods=["get"], filterset_class=None, pagination_class=Pages)
    def grants(self, request: Request, external_id: str) -> Response:
        """Newest first."""
        only_open = request.query_params.get("open", "").lower() in {"1", "true"}

        def page(owner: Owner) -> Response:
            read_account(owner.account)
            lots = Grant.objects.filter(account_id=owner.account)
            return self.answer_page(lots.filter(is_open=True) if only_open else lots, print_grant)

        return for_owner(request, external_id, page)

    @extend_schema(
        summary="Statement of an account",
        tags=["Accounts"],
        parameters=[
            UNIT,
            SINCE,
            UNTIL,
            OpenApiParameter("after", int, description="After this transaction number: the `next` of a page."),
            OpenApiParameter("limit", int, description=f"At most {MOST_ROWS} transactions a page."),
            OpenApiParameter("format", str, enum=["json", "csv"], description="CSV comes whole."),
        ],
        responses={
            (200, "application/json"): OpenApiResponse(StatementOut, examples=[examples.statement()]),
            (200, "text/csv"): OpenApiResponse(str, description="One line a transaction, oldest first."),
        },
    )
    @action(detail=True, methods=["get"], filterset_class=None, pagination_class=None)
    def statement(self, request: Request, external_id: str) -> Any:
        """Oldest first, with the balance before the first and after the last. JSON in pages, CSV whole."""
        as_csv = request.query_params.get("format", "json").lower()
        if as_csv not in {"json", "csv"}:
            raise refusals.InvalidField("format", "Ask for json or csv.")
        since, until = moment(request, "from"), moment(request, "to")
        after = whole(request, "after", 0, most=2**62)
        limit = whole(request, "limit", 100, least=1, most=MOST_ROWS)

        def page(owner: Owner) -> Any:
            account = Account.objects.filter(pk=owner.account).first()
            if account is None:
                raise refusals.UnknownAccount("There is no such account.")
            rows = queries.statement(account.pk, since=since, until=until, after=after)
            if as_csv == "csv":
                return _csv(owner, rows.values_list(*COLUMNS).iterator(2000))
            return Response(_statement(owner, list(rows[: limit + 1]), limit, since=since, after=after))

        return for_owner(request, external_id, page)


def moment(request: Request, name: str) -> datetime | None:
    """Return the moment that a query parameter names. Raises InvalidField for anything but a time with its zone."""
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        # A plus sign in a query means a blank, so a zone of +02:00 arrives as one.
        value = parse_datetime(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        value = None
    if value is None or is_naive(value):
        raise refusals.InvalidField(name, "Send a time with its zone, for example 2026-10-08T16:30:00Z.")
    return value


def whole(request: Request, name: str, default: int, *, least: int = 0, most: int) -> int:
    """Return the whole number that a query parameter names, from ``least`` to ``most``. Raises InvalidField."""
    text = request.query_params.get(name)
    if text is None or text == "":
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 18 or not least <= int(text) <= most:
        raise refusals.InvalidField(name, f"Send a whole number from {least} to {most}.")
    return int(text)


def _balance(owner: Owner, at: datetime | None) -> dict[str, Any]:
    sheet = read_account(owner.account)
    named = {"account": owner.external_id, "unit": owner.unit}
    if at is not None and at < sheet.at:
        return {**named, "balance": number(queries.balance_at(owner.account, at)), "as_of": at}
    return {
        **named,
        "balance": number(sheet.balance),
        "held": number(sheet.held),
        "available": number(sheet.available),
        "overdraft_limit": number(sheet.overdraft_limit),
        "debt": number(sheet.debt),
        "as_of": sheet.at,
    }


def _statement(
    owner: Owner, rows: list[Transaction], limit: int, *, since: datetime | None, after: int
) -> dict[str, Any]:
    page = rows[:limit]
    before = page[0].balance_before if page else queries.balance_before(owner.account, since=since, after=after)
    opening = number(before)
    return {
        "account": owner.external_id,
        "unit": owner.unit,
        "opening_balance": opening,
        "closing_balance": number(page[-1].balance_after) if page else opening,
        "transactions": [print_movement(movement_of(row, owner)) for row in page],
        "next": page[-1].sequence if len(rows) > limit else None,
    }


class _Line:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        """Return the text."""
        return text


def _csv(owner: Owner, rows: Iterator[tuple[Any, ...]]) -> StreamingHttpResponse:
    writer = csv.writer(_Line())

    def lines() -> Iterator[str]:
        yield writer.writerow(COLUMNS)
        for row in rows:
            yield writer.writerow([_cell(value) for value in row])

    response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="statement-{owner.account}.csv"'
    return response


def _cell(value: Any) -> str:
    """Return a value as CSV shows it. Text that a spreadsheet would run as a formula is quoted."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str):
        return safe(value)
    return f"{value:f}".rstrip("0").rstrip(".") if hasattr(value, "as_tuple") else str(value)
