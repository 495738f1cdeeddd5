"""The relay: publishes what the books tell, each account's events in the order of its books.

Accounts fall into lanes. A relay holds the advisory locks of its lanes, publishes what lies between their position and
the horizon, waits for every acknowledgement and then moves the position: killed in between it publishes the same again,
under the same ids. Several relays share the lanes; one that ends leaves its own to the others.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from billing.models import PublishedTotal, RelayLane
from billing.providers.nats import Bus, Message, Stream
from credits.models import EventType
from credits.services import events
from credits.services.events import Told

log = logging.getLogger(__name__)

LANES = 8
MOST = 1_000
# Advisory locks: one namespace for the lanes, one that every relay shares.
LANE_LOCK, PRESENT = 0x666C7231, 0x666C7232
RELAYS = """
    SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objid = 0 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
PUBLISHED = Stream("FLORIN_EVENTS", tuple(EventType.values))


def lane_of(account: UUID | None) -> int:
    """Return the lane of an account's events. Ids are derived by a hash, so that lanes are about as busy."""
    return account.int % LANES if account else 0


class Relay:
    """One relay process: the lanes it holds, on a connection to the database that must not be pooled."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.held: set[int] = set()
        # Whether there is something that is not settled yet: it will be in a moment.
        self.unsettled = False
        RelayLane.objects.bulk_create([RelayLane(lane=lane) for lane in range(LANES)], ignore_conflicts=True)
        _ask("SELECT (pg_advisory_lock_shared(%s, 0) IS NULL)::int", PRESENT)

    def close(self) -> None:
        """Leave every lane to others."""
        for lane in sorted(self.held):
            self._leave(lane)
        _ask("SELECT pg_advisory_unlock_shared(%s, 0)::int", PRESENT)

    def share(self) -> None:
        """Take free lanes, or leave some, so that all relays have about as many. Make the stream if it is not there.

        A stream that is another one than was published on has lost what that one had: it is filled from the beginning.
        """
        stream = self.bus.ensure(PUBLISHED)
        lost = RelayLane.objects.exclude(stream__in=["", stream])
        if lost.update(position=0, replays=F("replays") + 1, stream=stream):
            log.warning("The stream of events is new: it is filled with every event that is kept")
        RelayLane.objects.filter(stream="").update(stream=stream)
        relays = _ask(RELAYS, PRESENT)
        fair = -(-LANES // max(relays, 1))
        for lane in sorted(self.held, reverse=True)[: max(len(self.held) - fair, 0)]:
            self._leave(lane)
        for lane in set(range(LANES)) - self.held:
            if len(self.held) >= fair:
                break
            if _ask("SELECT pg_try_advisory_lock(%s, %s)::int", LANE_LOCK, lane):
                self.held.add(lane)

    def relay(self) -> int:
        """Publish one batch of what is settled. Returns how far that went, in events looked at."""
        horizon = events.look()
        self.unsettled, upto = horizon.pending, horizon.settled
        lanes = {row.lane: row for row in RelayLane.objects.filter(lane__in=self.held)}
        if not lanes:
            return 0
        found = events.read_events(after=min(row.position for row in lanes.values()), upto=upto, most=MOST)
        if len(found) == MOST:
            upto = found[-1].id
        ours = [each for each in found if (lane := lanes.get(lane_of(each.account_id))) and each.id > lane.position]
        self.bus.publish(_chains(ours, lanes))
        _move(lanes.values(), upto, ours)
        return len(found)

    def _leave(self, lane: int) -> None:
        _ask("SELECT pg_advisory_unlock(%s, %s)::int", LANE_LOCK, lane)
        self.held.discard(lane)


def replay_from(event: int) -> None:
    """Set every lane back, so that the events from this one on are published again, under new message ids.

    Relays that run take notice by themselves.
    """
    RelayLane.objects.filter(position__gte=event).update(position=max(event - 1, 0), replays=F("replays") + 1)


def first_unpublished() -> int | None:
    """Return the first event that some lane has still to publish, None where there is none, or no relay ever ran."""
    position = RelayLane.objects.order_by("position").values_list("position", flat=True).first()
    found = events.read_events(after=position, upto=2**63 - 1, most=1) if position is not None else []
    return found[0].id if found else None


def _chains(found: list[Told], lanes: dict[int, RelayLane]) -> list[list[Message]]:
    """Return what to publish: a chain for each account, in the order of its books."""
    chains: defaultdict[UUID | None, list[Message]] = defaultdict(list)
    for each in found:
        replays = lanes[lane_of(each.account_id)].replays
        # A replay is meant: the stream must not take it for a duplicate.
        name = f"{each.id}.{replays}" if replays else str(each.id)
        chains[each.account_id].append(Message(each.type, name, each.body()))
    return list(chains.values())


@transaction.atomic
def _move(lanes: Iterable[RelayLane], upto: int, published: list[Told]) -> None:
    """Move the lanes, but for those that were set back meanwhile, and count what was published."""
    moved = set()
    for row in lanes:
        if row.position < upto:
            same = RelayLane.objects.filter(lane=row.lane, replays=row.replays, position=row.position)
            if same.update(position=upto):
                moved.add(row.lane)
    counts = Counter(each.type for each in published if lane_of(each.account_id) in moved)
    for name, count in sorted(counts.items()):
        PublishedTotal.objects.get_or_create(type=name)
        PublishedTotal.objects.filter(type=name).update(events=F("events") + count)


def _ask(statement: str, *values: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.fetchone()[0] or 0)
