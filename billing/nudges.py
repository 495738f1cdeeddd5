"""Telling a worker that there is news, without anybody who makes news waiting for it.

Whoever commits an event only sets a flag; a thread of the process tells the broker, at most twice a second. So a broker
that is slow or gone costs a debit nothing. What a nudge misses, the clock finds.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.5


class Nudger:
    """Calls ``publish`` soon after it was called itself, once for many calls."""

    def __init__(self, publish: Callable[[], None], *, seconds: float = PAUSE_SECONDS) -> None:
        self._publish, self._seconds = publish, seconds
        self._wanted = threading.Event()
        self._lock = threading.Lock()
        # A thread does not survive the fork of a web server's workers.
        self._process = 0

    def __call__(self) -> None:
        """Ask for it. Costs a flag."""
        self._wanted.set()
        if self._process != os.getpid():
            with self._lock:
                if self._process != os.getpid():
                    self._process = os.getpid()
                    threading.Thread(target=self._run, name="nudger", daemon=True).start()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            try:
                self._publish()
            except Exception:
                log.exception("No worker could be told of news: the clock will find it")
            time.sleep(self._seconds)
