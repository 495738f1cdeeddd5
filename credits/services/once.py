"""Idempotency: a request with a key is done once, and answered the same for ever.

The record is written in the transaction that moves the credits, so there is no moment at which one exists without the
other: after a crash either both are there or neither is, and the caller's retry finds the answer or does the work.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

import psycopg.errors
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from credits import refusals
from credits.models import IdempotencyRecord
from credits.services.slices import delete_older

P = ParamSpec("P")
T = TypeVar("T")

ATTEMPTS = 4
RETRIED = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status and the JSON body that goes with it."""

    status: int
    body: str


class Replay(Exception):  # not an error: the answer was given before
    """The request was answered before. Raised under the lock, before anything is checked; nothing was changed."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer


@dataclass(slots=True)
class Once:
    """The key a request came with. ``answer_to`` and ``refusal_to`` say an outcome as the caller will read it."""

    owner: str
    key: str
    fingerprint: str
    answer_to: Callable[[Any], Answer]
    refusal_to: Callable[[refusals.Refusal], Answer]
    request_id: str = ""
    answer: Answer | None = None

    def check(self, record: tuple[str, int, str] | None) -> None:
        """Raise what a record of the key means: ``Replay``, or ``IdempotencyKeyReused`` for another request."""
        if record is None:
            return
        fingerprint, status, body = record
        self.check_same(fingerprint)
        raise Replay(Answer(status, body))

    def check_same(self, fingerprint: str) -> None:
        """Raise ``IdempotencyKeyReused`` where what was begun under the key was asked for by another request."""
        if fingerprint != self.fingerprint:
            raise refusals.IdempotencyKeyReused("This Idempotency-Key came with a different request before.")

    def find(self) -> tuple[str, int, str] | None:
        """Return the key's record, if there is one."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT fingerprint, status, body FROM credits_idempotencyrecord WHERE owner = %s AND key = %s",
                [self.owner, self.key],
            )
            row: tuple[str, int, str] | None = cursor.fetchone()
        return row

    def row(self, answer: Answer) -> list[Any]:
        """Return the values of the key's record, in the order of ``RECORD_COLUMNS``."""
        self.answer = answer
        return [self.owner, self.key, self.fingerprint, answer.status, answer.body]

    def record(self, answer: Answer, *, account: UUID | None = None, request_id: str = "") -> None:
        """Keep the answer. Raises IntegrityError where another request has just kept one."""
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO credits_idempotencyrecord"
                " (owner, key, fingerprint, status, body, account_id, request_id, created_at)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, clock_timestamp())",
                [*self.row(answer), account, request_id],
            )


def purge_idempotency() -> int:
    """Delete the answers older than IDEMPOTENCY_DAYS, if that is not 0. Returns how many.

    A request that comes again after that is a new one, but for its reference.
    """
    if not settings.IDEMPOTENCY_DAYS:
        return 0
    return delete_older(IdempotencyRecord, "created_at", timezone.now() - timedelta(days=settings.IDEMPOTENCY_DAYS))


def money(function: Callable[Concatenate[Once | None, P], T]) -> Callable[..., T]:
    """Run a service in one transaction; keep its refusal where it has a key; retry what the database asks to.

    The service receives ``once`` first and the rest by keyword. Deadlocks, serialisation failures and the loss of a
    race for the same key are retried at most three times, and only where no outer transaction would be lost with them.
    A lock that could not be had in time becomes ``Busy``.
    """

    @wraps(function)
    def run(*, once: Once | None = None, **kwargs: Any) -> T:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return _attempt(function, once, kwargs)
            except DatabaseError as error:
                cause = error.__cause__
                if isinstance(cause, psycopg.errors.LockNotAvailable):
                    raise refusals.Busy("Another request is changing this account. Send this one again.") from error
                if attempt == ATTEMPTS or connection.in_atomic_block or not _worth_retrying(cause, once):
                    raise
                time.sleep(0.01 * attempt)
        raise AssertionError("unreachable")

    return run


@money
def keep(once: Once | None, /, *, act: Callable[[], T]) -> T:
    """Do something that locks no account, once for its key."""
    if once is not None:
        once.check(once.find())
    result = act()
    if once is not None:
        once.record(once.answer_to(result))
    return result


def _attempt(function: Callable[..., T], once: Once | None, kwargs: dict[str, Any]) -> T:
    with transaction.atomic():
        try:
            return function(once, **kwargs)
        except refusals.Refusal as refusal:
            if once is None or not refusal.stored:
                raise
            # Nothing was written before the refusal: plans are made in memory. What is committed is the answer alone.
            # Whose it was and which request: nothing else keeps that of what was refused.
            account = kwargs.get("account", kwargs.get("source"))
            known = account if isinstance(account, UUID) else None
            once.record(once.refusal_to(refusal), account=known, request_id=once.request_id[:64])
            refused = refusal
    raise refused


def _worth_retrying(cause: BaseException | None, once: Once | None) -> bool:
    if isinstance(cause, RETRIED):
        return True
    if once is None or not isinstance(cause, psycopg.errors.UniqueViolation):
        return False
    return cause.diag.table_name == "credits_idempotencyrecord"
