"""Batches: up to 10,000 movements in one request and one transaction."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from credits import queries, refusals
from credits.api import examples
from credits.api.batch_requests import ITEMS, BatchRequest
from credits.api.bodies import MOST_BODY
from credits.api.calls import caller, check_unit, memo, perform
from credits.api.schema import describe
from credits.api.shapes import BatchOut, print_hold, print_movement
from credits.api.use_requests import says_use
from credits.api.use_requests import usage as use_of
from credits.api.views.account_moves import terms
from credits.api.views.base import ApiViewSet
from credits.models import Scope
from credits.plan import ON_TERMS, Movement, Owner, Reservation
from credits.plan.state import ZERO
from credits.services.batch import MOST_ITEMS, Item, Outcome, Verb, post_batch

ON_ACCOUNT = {Verb.DEBIT, Verb.USAGE, Verb.TOPUP, Verb.ADJUSTMENT, Verb.TRANSFER, Verb.HOLD}
SCOPES = {Verb.ADJUSTMENT: Scope.CREDITS_ADJUST, Verb.REFUND: Scope.CREDITS_REFUND}


class MissingScope(refusals.Refusal):
    status, code, title, stored = 403, "missing_scope", "The API key may not do this.", False


class BatchViewSet(ApiViewSet):
    """Many movements at once."""

    serializer_class = BatchOut
    scopes = {"create": Scope.CREDITS_WRITE}
    max_body = MOST_BODY

    @describe(
        "Post a batch",
        tag="Credits",
        request=BatchRequest,
        asked=examples.BATCH,
        answer=BatchOut,
        example=examples.BATCH_ANSWER,
        writes=True,
    )
    def create(self, request: Request) -> HttpResponse:
        """Each item is judged in its turn and answered as if it had come alone; with `atomic`, all or nothing."""
        return post_items(request)


def post_items(request: Request, *, usual: str = "") -> HttpResponse:
    """Post a body's items as one batch, and answer. An item that names no type is of the ``usual`` one."""
    items, atomic = _read(request, usual)
    return perform(
        request,
        lambda once: post_batch(once=once, items=items, atomic=atomic),
        lambda outcomes: _print(items, outcomes),
        status=200,
    )


def _read(request: Request, usual: str) -> tuple[list[Item | refusals.Refusal], bool]:
    data: dict[str, Any] = request.data  # type: ignore[assignment]  # the parser gives nothing else
    rows, atomic = data.get("items"), data.get("atomic", False)
    if not isinstance(rows, list) or not rows:
        raise ValidationError({"items": ["A list of items is required."]})
    if len(rows) > MOST_ITEMS:
        raise ValidationError({"items": [f"A batch has at most {MOST_ITEMS} items."]})
    if not isinstance(atomic, bool):
        raise ValidationError({"atomic": ["Must be true or false."]})
    asked = [_asked(request, row, usual) for row in rows]
    meant = queries.owners_of(
        each["account"]
        for each in asked
        if isinstance(each, dict) and each["type"] in ON_ACCOUNT and "unit" not in each
    )
    return [each if isinstance(each, refusals.Refusal) else _item(request, each, meant) for each in asked], atomic


def _asked(request: Request, row: Any, usual: str) -> dict[str, Any] | refusals.Refusal:
    """Return what a row says, or the refusal that it is if it is malformed or its caller may not ask for it."""
    kind = str(row.get("type", usual)) if isinstance(row, dict) else ""
    shape = ITEMS.get(kind)
    if shape is None:
        return refusals.InvalidField("type", f"Each item is an object with a type: {', '.join(ITEMS)}.")
    scope = SCOPES.get(Verb(kind), Scope.CREDITS_WRITE)
    if scope not in caller(request).scopes:
        return MissingScope(f"The API key lacks the scope {scope}.")
    try:
        return {**shape.read(row), "type": Verb(kind)}
    except ValidationError as error:
        errors: Any = error.detail
        field, said = next(iter(errors.items()))
        refusal = refusals.InvalidField(field, f"{field}: {said[0]}")
        refusal.members = {"errors": errors}
        return refusal


def _item(request: Request, asked: dict[str, Any], meant: dict[str, Owner]) -> Item | refusals.Refusal:
    """Return the item that a row means. ``meant`` names the accounts of owners whose unit was not said."""
    verb: Verb = asked["type"]
    try:
        owner = target = None
        if verb in ON_ACCOUNT:
            owner = Owner(asked["account"], asked["unit"]) if "unit" in asked else meant[asked["account"]]
            check_unit(owner.unit)
        if verb is Verb.TRANSFER:
            target = Owner(asked["target"], asked.get("unit", settings.DEFAULT_UNIT))
            owner = Owner(asked["account"], target.unit)
        return Item(
            verb=verb,
            memo=memo(request, asked),
            amount=asked.get("amount"),
            usage=use_of(asked) if verb is Verb.USAGE or says_use(asked) else None,
            account=owner.account if owner else None,
            target=target.account if target else None,
            answers=asked.get("transaction_id") or asked.get("hold_id"),
            terms=terms(asked) if verb is Verb.TOPUP else ON_TERMS,
            lasting=timedelta(seconds=asked.get("ttl_seconds", settings.HOLD_SECONDS)),
            abandonment_charge=asked.get("abandonment_charge", ZERO),
            final=asked.get("final", False),
            allow_debt=asked.get("allow_debt", False),
        )
    except refusals.Refusal as refusal:
        return refusal


def _print(items: list[Item | refusals.Refusal], outcomes: list[Outcome]) -> dict[str, Any]:
    results = [_result(index, item, outcome) for index, (item, outcome) in enumerate(zip(items, outcomes, strict=True))]
    refused = sum(isinstance(outcome, refusals.Refusal) for outcome in outcomes)
    return {"succeeded": len(results) - refused, "refused": refused, "results": results}


def _result(index: int, item: Item | refusals.Refusal, outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, refusals.Refusal):
        return {"index": index, "status": outcome.status, "problem": outcome.told()}
    released = isinstance(item, Item) and item.verb is Verb.RELEASE
    if isinstance(outcome, Reservation):
        return {"index": index, "status": 200 if released else 201, "hold": print_hold(outcome)}
    movement: Movement = outcome
    return {"index": index, "status": 201, "transaction": print_movement(movement)}
