"""A lease that whoever works renews for as long as it lives: one who died is known by its silence, within seconds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic

from django.db import Error, connection

log = logging.getLogger(__name__)


@contextmanager
def renewing(renew: Callable[[timedelta], object], *, every: timedelta, longest: timedelta) -> Iterator[None]:
    """Call ``renew`` with the time gone by, each ``every``, until the block is left, but no longer than ``longest``.

    It is called in a thread of its own, which has its own connection to the database. Where that fails it is tried
    again at the next beat: what is not renewed runs out, and somebody else takes it up.
    """
    over = threading.Event()
    began = monotonic()

    def beat() -> None:
        try:
            while not over.wait(every.total_seconds()) and monotonic() - began < longest.total_seconds():
                try:
                    renew(timedelta(seconds=monotonic() - began))
                except Error:
                    log.warning("A lease could not be renewed", exc_info=True)
                    connection.close()
        finally:
            connection.close()

    thread = threading.Thread(target=beat, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
