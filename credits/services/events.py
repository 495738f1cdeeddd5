"""Events: how they are written, and how far they may be read.

Readers that remember the last id they saw would lose an event whose transaction committed after a later one's.
``settle`` says up to which id nothing can appear any more; below that ids are as good as a clock.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.db import connection, transaction
from django.db.models import TextField
from django.db.models.functions import Cast
from django.utils import timezone

from credits import listeners
from credits.amounts import plain
from credits.models import Event, EventHorizon
from credits.plan import Sheet, news
from credits.plan.news import News
from credits.services.slices import delete_older

EVENT = {"type": "text", "version": "smallint", "account_id": "uuid", "payload": "jsonb", "recorded_at": "timestamptz"}
NAMES = ", ".join(EVENT)
WRITE = (
    f"INSERT INTO credits_event ({NAMES}) SELECT {NAMES}"  # noqa: S608  # constants
    f" FROM json_to_recordset(%s::json) AS x ({', '.join(f'{name} {kind}' for name, kind in EVENT.items())})"
)


def told(sheets: Iterable[Sheet]) -> list[dict[str, Any]]:
    """Return the rows of what the world hears of the sheets' movements."""
    return [_row(each) for sheet in sheets if sheet.movements for each in news.tell(sheet, low_percent())]


def low_percent() -> Decimal:
    """Return at how many percent of what it last rose to a balance is low."""
    return Decimal(settings.LOW_BALANCE_THRESHOLD_PERCENT)


def write_event(event: News) -> None:
    """Write an event that no movement caused. Part of the transaction it tells of, under the account's lock."""
    with connection.cursor() as cursor:
        cursor.execute(WRITE, [orjson.dumps([_row(event)], default=plain).decode()])
    listeners.tell()


@dataclass(frozen=True, slots=True)
class Horizon:
    """Up to which id events are settled, and whether there are later ones that are not yet."""

    settled: int
    pending: bool


def settle() -> int:
    """Return the id up to which every event that will ever be there is there, having looked how far that is by now.

    Whoever writes an event holds its account's lock, so its transaction had begun before the event had its id: once
    every transaction has ended that began before a mark was taken, no event below the mark can appear.
    """
    return look().settled


def look() -> Horizon:
    """Return what ``settle`` does, and whether it is worth looking again soon."""
    EventHorizon.objects.bulk_create([EventHorizon(pk=EventHorizon.ONLY)], ignore_conflicts=True)
    with transaction.atomic():
        row = EventHorizon.objects.select_for_update(no_key=True).get()
        # In this order, each in a statement of its own: a snapshot must not be older than the id it is to judge.
        newest = _one("SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM credits_event_id_seq")
        if row.settled >= newest:
            return Horizon(row.settled, pending=False)
        oldest_running = _one("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        this = _one("SELECT pg_current_xact_id()::text::bigint")
        if row.mark_xact > this:
            # The database was restored into a younger cluster: its transactions are counted anew.
            row.mark = row.settled
        elif row.mark_xact <= oldest_running:
            row.settled = row.mark
        if row.mark <= row.settled:
            row.mark, row.mark_xact = newest, this
        row.save(update_fields=["settled", "mark", "mark_xact"])
    return Horizon(row.settled, pending=row.settled < newest)


def settled() -> int:
    """Return what ``settle`` returned last, to whoever asked."""
    return EventHorizon.objects.values_list("settled", flat=True).first() or 0


@dataclass(frozen=True, slots=True)
class Told:
    """An event as it is read: its payload is the text that PostgreSQL keeps, in which every amount is exact."""

    id: int
    type: str
    version: int
    account_id: UUID | None
    recorded_at: datetime
    text: str

    @property
    def payload(self) -> dict[str, Any]:
        """The payload, its amounts as Decimals."""
        parsed: dict[str, Any] = json.loads(self.text, parse_float=Decimal)
        return parsed

    def body(self) -> bytes:
        """Return the JSON that the world gets: the payload, and which event it is."""
        head = orjson.dumps({"event_id": self.id, "event_type": self.type, "event_version": self.version})
        return head[:-1] + b"," + self.text.encode()[1:]


def read_events(*, after: int, upto: int, most: int) -> list[Told]:
    """Return events above one id and up to another, which ``settle`` returned, the oldest first."""
    rows = Event.objects.filter(pk__gt=after, pk__lte=upto).order_by("pk")
    columns = ("pk", "type", "version", "account_id", "recorded_at", Cast("payload", TextField()))
    return [Told(*row) for row in rows.values_list(*columns)[:most]]


def purge_events(*, unread: int | None = None) -> int:
    """Delete events older than EVENT_DAYS, but none from the ``unread`` one on, if there is one. Returns how many."""
    than = timezone.now() - timedelta(days=settings.EVENT_DAYS)
    first = Event.objects.filter(pk=unread).values_list("recorded_at", flat=True).first() if unread else None
    # Moments need not be in the order of ids, but they are not far off.
    return delete_older(Event, "recorded_at", than if first is None else min(than, first - timedelta(hours=1)))


def _row(event: News) -> dict[str, Any]:
    return {
        "type": event.type,
        "version": event.version,
        "account_id": event.account,
        "payload": event.payload,
        "recorded_at": event.recorded_at,
    }


def _one(statement: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.fetchone()[0])
