"""Consuming: each message is acknowledged when what it means is committed, or kept as a dead letter.

A crash in between brings the message again, and natural references make that harmless.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from django.db import DatabaseError, InterfaceError, OperationalError, transaction

from billing.providers.nats import Bus, Delivery, Inlet
from billing.services.letters import Apply, Letter, NotReady, keep_letters
from credits.refusals import Busy, Refusal

log = logging.getLogger(__name__)

U = TypeVar("U")

# How often a message may fail for a reason that we do not know before it is a dead letter.
PATIENCE = 5
# How often what is not ready yet is tried: doubling up to five minutes, for about a day.
WAITS = 290
LONGEST_PAUSE = 300.0
# Where the publisher of a use wants to hear that it was refused.
REFUSALS_TO = "Refusals-To"


def consume(inlet: Inlet, apply: Apply, *, most: int = 100, seconds: float = 1.0) -> int:
    """Take some messages and apply each in a transaction of its own. Returns how many came."""
    deliveries = inlet.take(most, seconds=seconds)
    for delivery in deliveries:
        if take_in(delivery, apply):
            inlet.acknowledge([delivery])
        else:
            inlet.put_back(delivery, seconds=pause(delivery.attempt))
    return len(deliveries)


def take_in(delivery: Delivery, apply: Apply) -> bool:
    """Apply a message, or keep it as a dead letter. Returns False for one that is to come again."""
    try:
        with transaction.atomic():
            apply(delivery.subject, delivery.id, delivery.body)
    except NotReady as refusal:
        return delivery.attempt >= WAITS and _bury(delivery, refusal.code, refusal.detail)
    except (Busy, OperationalError, InterfaceError) as error:
        log.warning("%s %s could not be applied yet: %s", delivery.subject, delivery.id, error)
        return False
    except Refusal as refusal:
        return _bury(delivery, refusal.code, refusal.detail)
    except Exception as error:
        log.exception("%s %s could not be applied", delivery.subject, delivery.id)
        return delivery.attempt >= PATIENCE and _bury(delivery, "failed", f"{type(error).__name__}: {error}")
    return True


def consume_uses(
    bus: Bus,
    inlet: Inlet,
    *,
    read: Callable[[str, bytes], Sequence[U]],
    record: Callable[[Sequence[U]], Sequence[tuple[U, Refusal]]],
    told: Callable[[U, Refusal], bytes],
    most_messages: int,
    most_uses: int,
    seconds: float = 1.0,
) -> int:
    """Take usage by the thousand, and charge it in few transactions. Returns how many uses came.

    What comes faster than that waits in the stream, not here.
    """
    came = 0
    batch: list[tuple[Delivery, Sequence[U]]] = []
    for delivery in inlet.take(most_messages, seconds=seconds):
        try:
            uses = read(delivery.id, delivery.body)
        except Exception as error:
            _give_up(inlet, delivery, error)
            continue
        if batch and sum(len(each) for _, each in batch) + len(uses) > most_uses:
            came += _charge(bus, inlet, batch, record, told)
            batch = []
        batch.append((delivery, uses))
    return came + (_charge(bus, inlet, batch, record, told) if batch else 0)


def pause(attempt: int) -> float:
    """Return for how many seconds a message is left alone after so many attempts."""
    return float(min(2.0 ** min(attempt, 20), LONGEST_PAUSE))


def _charge(
    bus: Bus,
    inlet: Inlet,
    batch: list[tuple[Delivery, Sequence[U]]],
    record: Callable[[Sequence[U]], Sequence[tuple[U, Refusal]]],
    told: Callable[[U, Refusal], bytes],
) -> int:
    """Charge the uses of some messages in one transaction, acknowledge them, and answer what was refused."""
    uses = [use for _, each in batch for use in each]
    try:
        refused = record(uses)
    except (Busy, DatabaseError, InterfaceError) as error:
        log.warning("%d uses could not be charged yet: %s", len(uses), error)
        for delivery, _ in batch:
            inlet.put_back(delivery, seconds=pause(delivery.attempt))
        return 0
    except Exception as error:
        if len(batch) > 1:
            # One of them cannot be charged, and must not keep the others from it.
            return sum(_charge(bus, inlet, [each], record, told) for each in batch)
        _give_up(inlet, batch[0][0], error)
        return 0
    inlet.acknowledge([delivery for delivery, _ in batch])
    asking = {id(use): delivery.headers[REFUSALS_TO] for delivery, each in batch
              if REFUSALS_TO in delivery.headers for use in each}  # fmt: skip
    for use, refusal in refused:
        if id(use) in asking:
            bus.send(asking[id(use)], told(use, refusal))
    return len(uses)


def _give_up(inlet: Inlet, delivery: Delivery, error: Exception) -> None:
    """Let a message that failed for a reason that we do not know come again, or keep it as a dead letter."""
    log.error("%s %s could not be applied", delivery.subject, delivery.id, exc_info=error)
    if delivery.attempt < PATIENCE:
        inlet.put_back(delivery, seconds=pause(delivery.attempt))
    elif _bury(delivery, "failed", f"{type(error).__name__}: {error}"):
        inlet.acknowledge([delivery])


def _bury(delivery: Delivery, code: str, error: str) -> bool:
    keep_letters([Letter(delivery.subject, delivery.id, delivery.body, code, error)])
    log.error("%s %s is a dead letter: %s", delivery.subject, delivery.id, error)
    return True
