"""What every writing address does: say who acts, do it once, and answer."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from structlog.contextvars import bind_contextvars

from credits import queries, refusals, units
from credits.api.json import canonical, dumps
from credits.api.problems import MEDIA_TYPE
from credits.models import Scope
from credits.plan import Actor, Memo, Owner
from credits.services.keys import Caller
from credits.services.once import Answer, Once, Replay

T = TypeVar("T")
Act = Callable[[Once | None], T]

KEY = re.compile(r"[\x21-\x7e]{1,255}")


def caller(request: Request) -> Caller:
    """Return whose key the request carries. Permissions have let it pass, so there is one."""
    return cast(Caller, request.auth)


def require(request: Request, scope: Scope) -> None:
    """Refuse a request whose key lacks a scope that its body makes necessary."""
    if scope not in caller(request).scopes:
        raise PermissionDenied(f"The API key lacks the scope {scope}.", code="missing_scope")


def actor(request: Request) -> Actor:
    """Return the API key as the one who acts."""
    key = caller(request)
    return Actor("key", str(key.id), key.name)


def memo(request: Request, asked: Mapping[str, Any], **said: Any) -> Memo:
    """Return who asks and why, from a request's body; ``said`` stands in for what the body does not name."""
    metadata = asked.get("metadata") or {}
    if asked.get("ticket"):
        metadata = {**metadata, "ticket": asked["ticket"]}
    return Memo(
        actor=actor(request),
        feature=asked.get("feature", ""),
        description=asked.get("description", ""),
        reason=asked.get("reason", ""),
        reference_type=asked.get("reference_type", ""),
        reference_id=asked.get("reference_id", ""),
        metadata=metadata,
        request_id=request.META["florin.request_id"],
        **said,
    )


def named_unit(request: Request) -> str | None:
    """Return the unit that ``?unit=`` names. Raises InvalidField for one that does not exist."""
    unit = request.query_params.get("unit")
    if unit is not None:
        check_unit(unit)
    return unit


def check_unit(unit: str) -> None:
    """Raise InvalidField for a unit that does not exist."""
    if "\0" in unit or len(unit) > 20:
        raise refusals.InvalidField("unit", "There is no such unit.")
    units.decimal_places(unit)


def owner_named(external_id: str, unit: str) -> Owner:
    """Return whose account is meant, and let every log line of the request say so."""
    bind_contextvars(account=external_id)
    return Owner(external_id, unit)


def for_owner(request: Request, external_id: str, act: Callable[[Owner], T], *, unit: str | None = None) -> T:
    """Do something with an owner's account in the unit the request names, else the service's own, else its only one.

    ``unit`` is the one that its body names.
    """
    if unit is not None:
        check_unit(unit)
    unit = unit or named_unit(request)
    owner = owner_named(external_id, unit or settings.DEFAULT_UNIT)
    try:
        return act(owner)
    except refusals.UnknownAccount:
        if unit is not None or "\0" in external_id:
            raise
        only = queries.owner_of(external_id)
        if only == owner:
            raise
        return act(only)


def perform(
    request: Request, act: Act[T], show: Callable[[T], Any], *, status: int = 201, key: str | None = None
) -> HttpResponse:
    """Do a write, once for its Idempotency-Key, and answer with what ``show`` makes of its result.

    A repeated request gets the first one's answer to the letter, with ``Idempotency-Replayed: true``.
    ``key`` is one that came in the body, for want of a header.
    """
    once = _once(request, key, lambda result: Answer(status, dumps(show(result)).decode()))
    try:
        result = act(once)
    except Replay as replay:
        media_type = "application/json" if replay.answer.status < 400 else MEDIA_TYPE
        return Response(
            replay.answer.body.encode(),
            status=replay.answer.status,
            headers={"Idempotency-Replayed": "true"},
            content_type=media_type,
        )
    if once is not None and once.answer is not None:
        # Printed once, for the record: nothing is left for a renderer to do.
        return HttpResponse(once.answer.body.encode(), status=status, content_type="application/json")
    return Response(show(result), status=status)


def on_account(
    request: Request,
    external_id: str,
    act: Callable[[Once | None, UUID], T],
    show: Callable[[T], Any],
    *,
    status: int = 201,
    unit: str | None = None,
) -> HttpResponse:
    """Do a write on the account of the owner that the address or the body names, and answer."""
    return for_owner(
        request,
        external_id,
        lambda owner: perform(request, lambda once: act(once, owner.account), show, status=status),
        unit=unit,
    )


def _once(request: Request, key: str | None, answer_to: Callable[[Any], Answer]) -> Once | None:
    name = "Idempotency-Key" if "HTTP_IDEMPOTENCY_KEY" in request.META else "idempotency_key"
    key = request.META.get("HTTP_IDEMPOTENCY_KEY", key)
    if key is None:
        return None
    if not KEY.fullmatch(key):
        raise refusals.InvalidField(name, "Send 1 to 255 printable ASCII characters.")
    asked = canonical([request.method, request.path_info, request.META.get("QUERY_STRING", ""), request.data])
    return Once(
        owner=caller(request).owner,
        key=key,
        fingerprint=hashlib.sha256(asked).hexdigest(),
        answer_to=answer_to,
        refusal_to=lambda refusal: Answer(refusal.status, dumps(refusal.told()).decode()),
        request_id=request.META["florin.request_id"],
    )
