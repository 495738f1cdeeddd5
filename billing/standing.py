"""Processes that stand by the bus: the relay and the consumers. They go on through outages until they are stopped."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from billing import metered, subscribed
from billing.providers.nats import Bus, BusError, Stream
from billing.services import consumption
from billing.services.relay import Relay
from credits.services.batch import MOST_ITEMS

log = logging.getLogger(__name__)

LONGEST_PAUSE = 5.0
# How often the relay looks: for what is new, for what is there but not settled, for other relays.
LOOK, SETTLE, SHARE = 0.2, 0.01, 5.0
HEARD = Stream("FLORIN_COMMANDS", tuple(subscribed.HANDLERS))
# Publishers of usage are refused when so much of it waits, rather than filling up the server.
METERED = Stream("FLORIN_USAGE", (metered.USAGE,), most_bytes=4 * 1024**3, queue=True)
# How many messages one consumer may have in hand.
MOST_HEARD, MOST_METERED = 100, 5_000

Work = Callable[[Bus, threading.Event], None]


def stop_on_signals() -> threading.Event:
    """Return what is set when somebody asks this process to stop."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def keep(work: Work, stop: threading.Event) -> None:
    """Do some work on a connection of its own, again and again, until it is stopped."""
    pause = 0.5
    while not stop.is_set():
        try:
            with Bus(settings.NATS_URL) as bus:
                work(bus, stop)
                pause = 0.5
        except (BusError, DatabaseError, InterfaceError) as error:
            log.warning("Beginning again in %.0f s: %s", pause, error)
        except Exception:
            # The other subjects go on, and so does this one.
            log.exception("Beginning again in %.0f s", pause)
        else:
            continue
        connection.close()
        stop.wait(pause)
        pause = min(pause * 2, LONGEST_PAUSE)
    connection.close()


def relay(bus: Bus, stop: threading.Event) -> None:
    """Publish what the books tell."""
    relaying = Relay(bus)
    try:
        shared = 0.0
        while not stop.is_set():
            if shared <= 0:
                relaying.share()
                shared = SHARE
            wait = 0.0 if relaying.relay() else (SETTLE if relaying.unsettled else LOOK)
            shared -= max(wait, SETTLE)
            stop.wait(wait)
    finally:
        with suppress(DatabaseError, InterfaceError):
            relaying.close()


def consume(subject: str, bus: Bus, stop: threading.Event) -> None:
    """Apply what is told on a subject."""
    bus.ensure(HEARD)
    inlet = bus.follow(subject, durable_of(subject), most_pending=MOST_HEARD)
    while not stop.is_set():
        consumption.consume(inlet, subscribed.apply, most=MOST_HEARD)


def consume_usage(bus: Bus, stop: threading.Event) -> None:
    """Charge high-volume usage."""
    bus.ensure(METERED)
    inlet = bus.follow(metered.USAGE, durable_of(metered.USAGE), most_pending=2 * MOST_METERED)
    most = MOST_METERED
    while not stop.is_set():
        came = consumption.consume_uses(
            bus,
            inlet,
            read=metered.read_uses,
            record=metered.record_uses,
            told=metered.told,
            most_messages=most,
            most_uses=MOST_ITEMS,
        )
        # Where messages hold many uses each, fewer of them are in hand.
        most = max(min(MOST_METERED, MOST_ITEMS * most // came), 10) if came > MOST_ITEMS else MOST_METERED


def consumers() -> list[Work]:
    """Return the work of consuming, one for each subject."""
    return [*(partial(consume, subject) for subject in subscribed.HANDLERS), consume_usage]


def stand(works: list[Work], stop: threading.Event) -> None:
    """Do several works at once, each in a thread of its own, until they are stopped or one of them fails."""

    def run(work: Work) -> None:
        try:
            keep(work, stop)
        finally:
            stop.set()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def durable_of(subject: str) -> str:
    """Return the name of our consumer of a subject. It stands on the server, so it stays as it is."""
    return "florin-" + subject.removeprefix("evt.").replace(".", "-")


def apply_letter(subject: str, message_id: str, body: bytes) -> None:
    """Apply a dead letter of any subject."""
    if subject == metered.USAGE:
        metered.apply_again(message_id, body)
    else:
        subscribed.apply(subject, message_id, body)
