"""Batches: up to 10,000 movements in one request and one transaction."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from credits import refusals
from credits.api import examples
from credits.api.bodies import MOST_BODY
from credits.api.calls import caller, check_unit, memo, perform
from credits.api.requests import BatchItemRequest, BatchRequest
from credits.api.schema import describe
from credits.api.shapes import BatchOut, print_hold, print_movement
from credits.api.views.account_moves import terms
from credits.api.views.base import ApiViewSet
from credits.models import Scope
from credits.plan import Movement, Owner, Reservation
from credits.plan.state import ZERO
from credits.services.batch import MOST_ITEMS, Item, Outcome, Verb, post_batch

ITEM = BatchItemRequest()
ON_ACCOUNT = {Verb.DEBIT, Verb.TOPUP, Verb.ADJUSTMENT, Verb.TRANSFER, Verb.HOLD}
NEEDS_AMOUNT = ON_ACCOUNT
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
        items, atomic = _read(request)
        return perform(
            request,
            lambda once: post_batch(once=once, items=items, atomic=atomic),
            lambda outcomes: _print(items, outcomes),
            status=200,
        )


def _read(request: Request) -> tuple[list[Item | refusals.Refusal], bool]:
    data: dict[str, Any] = request.data  # type: ignore[assignment]  # the parser gives nothing else
    rows, atomic = data.get("items"), data.get("atomic", False)
    if not isinstance(rows, list) or not rows:
        raise ValidationError({"items": ["A list of items is required."]})
    if len(rows) > MOST_ITEMS:
        raise ValidationError({"items": [f"A batch has at most {MOST_ITEMS} items."]})
    if not isinstance(atomic, bool):
        raise ValidationError({"atomic": ["Must be true or false."]})
    return [_item(request, row) for row in rows], atomic


def _item(request: Request, row: Any) -> Item | refusals.Refusal:
    """Return what a row asks for, or the refusal that it is if it is malformed."""
    try:
        asked = ITEM.read(row if isinstance(row, dict) else None)
        verb = Verb(asked["type"])
        scope = SCOPES.get(verb, Scope.CREDITS_WRITE)
        if scope not in caller(request).scopes:
            return MissingScope(f"The API key lacks the scope {scope}.")
        unit = asked.get("unit", settings.DEFAULT_UNIT)
        check_unit(unit)
        _check(verb, asked)
        return Item(
            verb=verb,
            memo=memo(request, asked),
            amount=asked.get("amount"),
            account=Owner(asked["account"], unit).account if verb in ON_ACCOUNT else None,
            target=Owner(asked["target"], unit).account if verb is Verb.TRANSFER else None,
            answers=asked.get("transaction_id") if verb is Verb.REFUND else asked.get("hold_id"),
            terms=terms(asked),
            lasting=timedelta(seconds=asked.get("ttl_seconds", settings.HOLD_SECONDS)),
            abandonment_charge=asked.get("abandonment_charge", ZERO),
            final=asked["final"],
            allow_debt=asked["allow_debt"],
        )
    except ValidationError as error:
        return _malformed(error)
    except refusals.Refusal as refusal:
        return refusal


def _check(verb: Verb, asked: dict[str, Any]) -> None:
    """Require what this kind of item cannot do without."""
    required = ["account"] if verb in ON_ACCOUNT else ["transaction_id"] if verb is Verb.REFUND else ["hold_id"]
    required += ["amount"] if verb in NEEDS_AMOUNT else []
    required += ["target"] if verb is Verb.TRANSFER else []
    required += ["reason"] if verb is Verb.ADJUSTMENT else []
    missing = [name for name in required if name not in asked]
    if missing:
        raise ValidationError({name: ["This field is required."] for name in missing})
    if verb is not Verb.ADJUSTMENT and asked.get("amount", 1) <= 0:
        raise ValidationError({"amount": ["The amount must be greater than zero."]})


def _malformed(error: ValidationError) -> refusals.Refusal:
    errors: Any = error.detail if isinstance(error.detail, dict) else {"item": error.detail}
    field, said = next(iter(errors.items()))
    refusal = refusals.InvalidField(field, f"{field}: {said[0]}")
    refusal.members = {"errors": errors}
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
