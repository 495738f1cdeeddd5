"""Reading the outbox: each reader has a mark of its own, and is given each event once, in order.

The mark moves in the transaction in which what was read is written down, and is locked meanwhile: two who read at once
cannot both have an event, and one who is killed has read nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import TextField
from django.db.models.functions import Cast
from django.utils import timezone

from billing.models import OutboxMark
from credits.models import Event
from credits.services.events import look, settle

WEBHOOKS, NOTICES = "webhooks", "notices"
BATCH = 500
COLUMNS = ("pk", "type", "version", "account_id", "account__external_id", "text", "recorded_at")


@dataclass(frozen=True, slots=True)
class Told:
    """An event as it is read. ``payload`` is JSON, with every digit of its amounts."""

    id: int
    type: str
    version: int
    account: UUID | None
    owner: str
    payload: str
    recorded_at: datetime


Take = Callable[[Sequence[Told]], None]


def read_on(reader: str, take: Take, *, types: Sequence[str] = ()) -> int:
    """Give a reader every event that it has not read yet, of all types or some. Returns how many there were.

    Where another reads for the same reader just now, it is left to that one.
    """
    # What was the newest at the first look is settled by the second, unless somebody is still writing.
    settle()
    upto = settle()
    OutboxMark.objects.bulk_create([OutboxMark(reader=reader, read_at=timezone.now())], ignore_conflicts=True)
    total = 0
    while count := _read(reader, upto, take, types):
        total += count
    return total


def unsettled() -> bool:
    """Whether there are events that cannot be read yet, because somebody who began before them has not ended."""
    return look().pending


def newest_event() -> int:
    """Return the id of the newest event that can be seen."""
    return Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def first_unread() -> int | None:
    """Return an id from which on no event may be deleted, because somebody has not read it; None where all are read."""
    marks = OutboxMark.objects.filter(reader__in=[WEBHOOKS, NOTICES]).values_list("event", flat=True)
    return Event.objects.filter(pk__gt=min(marks, default=0)).order_by("pk").values_list("pk", flat=True).first()


@transaction.atomic
def _read(reader: str, upto: int, take: Take, types: Sequence[str]) -> int:
    mark = OutboxMark.objects.select_for_update(skip_locked=True, no_key=True).filter(pk=reader).first()
    if mark is None or mark.event >= upto:
        return 0
    unread = Event.objects.filter(pk__gt=mark.event, pk__lte=upto).order_by("pk")
    if types:
        unread = unread.filter(type__in=types)
    rows = unread.annotate(text=Cast("payload", TextField())).values_list(*COLUMNS)[:BATCH]
    told = [Told(pk, kind, version, of, owner or "", text, at) for pk, kind, version, of, owner, text, at in rows]
    if told:
        take(told)
    mark.event, mark.read_at = told[-1].id if len(told) == BATCH else upto, timezone.now()
    mark.save(update_fields=["event", "read_at"])
    return len(told)
