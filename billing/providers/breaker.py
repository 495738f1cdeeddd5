"""A circuit breaker: a service that keeps failing is left alone for a while, so that callers are answered at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Open(Exception):  # not an error of the service: it was not asked
    """The service is left alone. ``seconds`` says for how much longer."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"left alone for {seconds:.1f} s")
        self.seconds = seconds


class Breaker:
    """Opens after ``failures`` failures in a row, for ``seconds``; then one call may try, and its outcome decides.

    One for each process; its threads share it. ``failure`` is the exception that counts: any other outcome shows that
    the service answers.
    """

    def __init__(
        self,
        failure: type[Exception],
        *,
        failures: int,
        seconds: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failure = failure
        self._most = failures
        self._seconds = seconds
        self._now = now
        self._lock = threading.Lock()
        self._failures = 0
        self._opened_until: float | None = None
        self._probing = False

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Run a call. Raises Open instead where the service is left alone."""
        probe = self._admit()
        try:
            yield
        except self._failure:
            self._failed(probe=probe)
            raise
        except Exception:
            self._answered()
            raise
        except BaseException:
            # The process is ending: nothing was learnt, and nobody else may be kept waiting for the outcome.
            self._withdrawn(probe=probe)
            raise
        else:
            self._answered()

    def _admit(self) -> bool:
        """Tell whether the call is the one that tries. Raises Open."""
        with self._lock:
            if self._opened_until is None:
                return False
            left = self._opened_until - self._now()
            if left > 0 or self._probing:
                raise Open(max(left, 0.0))
            self._probing = True
            return True

    def _failed(self, *, probe: bool) -> None:
        with self._lock:
            if self._opened_until is not None and not probe:
                # It began before the breaker opened, and tells nothing new.
                return
            self._failures += 1
            if probe or self._failures >= self._most:
                self._opened_until = self._now() + self._seconds
                self._probing = False

    def _answered(self) -> None:
        with self._lock:
            self._failures, self._opened_until, self._probing = 0, None, False

    def _withdrawn(self, *, probe: bool) -> None:
        if probe:
            with self._lock:
                self._probing = False
