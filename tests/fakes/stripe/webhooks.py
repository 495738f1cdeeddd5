"""Webhooks: every event goes to every endpoint, signed; by a thread, or when and how a test says."""

from __future__ import annotations

import hashlib
import heapq
import hmac
import http.client
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .store import Obj

# How long the thread waits before it sends again what was not taken; the last one goes on.
PAUSES = (0.5, 2.0, 5.0, 15.0, 60.0)
MOST_TRIES = 40
SECONDS = 10.0


def signature(body: bytes, secrets: Iterable[str], timestamp: int) -> str:
    """Return the Stripe-Signature header: a signature for each secret that is good at the moment."""
    signed = str(timestamp).encode() + b"." + body
    made = (hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets)
    return ",".join([f"t={timestamp}", *(f"v1={each}" for each in made)])


def printed(event: Obj) -> bytes:
    return json.dumps(event, indent=2).encode()


@dataclass
class Endpoint:
    """Where webhooks go. More than one secret: the old one is being rolled out."""

    url: str
    secrets: list[str]


@dataclass
class Delivery:
    """One event on its way to one endpoint. A status of 0: nobody answered."""

    event: Obj
    endpoint: Endpoint
    statuses: list[int] = field(default_factory=list)

    @property
    def done(self) -> bool:
        return any(200 <= status < 300 for status in self.statuses)

    def send(
        self,
        *,
        secrets: Iterable[str] | None = None,
        timestamp: int | None = None,
        body: bytes | None = None,
        header: str | None = None,
    ) -> int:
        """Post it, once, signed as it should be or as told, and return the status."""
        data = printed(self.event) if body is None else body
        moment = int(time.time()) if timestamp is None else timestamp
        if header is None:
            header = signature(data, self.endpoint.secrets if secrets is None else secrets, moment)
        self.statuses.append(post(self.endpoint.url, data, header))
        return self.statuses[-1]


def post(url: str, body: bytes, header: str) -> int:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=SECONDS)
    headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": header}
    headers["User-Agent"] = "Stripe/1.0 (+https://stripe.com/docs/webhooks)"
    try:
        connection.request("POST", address.path or "/", body, headers)
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        return 0
    else:
        return response.status
    finally:
        connection.close()


def at_once(_: Delivery) -> list[float]:
    return [0.0]


class Deliveries:
    """What is to be delivered.

    By hand: ``take`` deliveries off the queue and ``send`` them in any order, twice or never. By itself, once
    ``start`` was called: ``plan`` says after how many seconds each copy is sent; [] drops it, [0, 0] sends it twice.
    """

    def __init__(self) -> None:
        self.endpoints: list[Endpoint] = []
        self.queue: list[Delivery] = []
        self.sent: list[Delivery] = []
        self.plan: Callable[[Delivery], list[float]] = at_once
        self.pauses: tuple[float, ...] = PAUSES
        self._waiting: list[tuple[float, int, Delivery]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._sending = False
        self._thread: threading.Thread | None = None
        self._stopped = False

    def put(self, event: Obj) -> None:
        """Take an event in: a delivery for each endpoint."""
        with self._changed:
            for endpoint in self.endpoints:
                delivery = Delivery(event, endpoint)
                if self._thread is None:
                    self.queue.append(delivery)
                else:
                    for pause in self.plan(delivery):
                        self._push(delivery, pause)
            self._changed.notify_all()

    def take(self, count: int | None = None) -> list[Delivery]:
        """Return what is queued, oldest first, and forget it."""
        with self._changed:
            taken, self.queue = self.queue[:count], self.queue[len(self.queue) if count is None else count :]
        return taken

    def deliver(self, deliveries: Iterable[Delivery] | None = None) -> list[int]:
        """Send those, or all that are queued, one after the other; what is not taken is queued again."""
        statuses = []
        for delivery in list(self.take() if deliveries is None else deliveries):
            statuses.append(delivery.send())
            self.sent.append(delivery)
            if not 200 <= statuses[-1] < 300:
                self.queue.append(delivery)
        return statuses

    def clear(self) -> None:
        with self._changed:
            self.queue, self.sent, self._waiting = [], [], []

    def start(self) -> None:
        """From now on a thread delivers, and tries again what was not taken."""
        with self._changed:
            self._stopped = False
            self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
            for delivery in self.queue:
                self._push(delivery, 0.0)
            self.queue = []
        self._thread.start()

    def stop(self) -> None:
        """Let the thread end after what it is sending. The rest is queued."""
        thread, self._thread = self._thread, None
        if thread is not None:
            with self._changed:
                self._stopped = True
                self._changed.notify_all()
            thread.join()
            self.queue += [each for _, _, each in sorted(self._waiting)]
            self._waiting = []

    def idle(self, seconds: float = 10.0) -> bool:
        """Wait until nothing is due any more, and tell whether that came to be."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._sending and not self._next_due(), seconds)

    def _push(self, delivery: Delivery, pause: float) -> None:
        heapq.heappush(self._waiting, (time.monotonic() + pause, next(self._numbers), delivery))

    def _next_due(self) -> bool:
        return bool(self._waiting) and self._waiting[0][0] <= time.monotonic()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._sending = False
                self._changed.notify_all()
                while not self._stopped and not self._next_due():
                    self._changed.wait(self._waiting[0][0] - time.monotonic() if self._waiting else None)
                if self._stopped:
                    return
                delivery = heapq.heappop(self._waiting)[2]
                self._sending = True
            status = delivery.send()
            with self._changed:
                self.sent.append(delivery)
                tries = len(delivery.statuses)
                if not 200 <= status < 300 and tries < MOST_TRIES:
                    self._push(delivery, self.pauses[min(tries, len(self.pauses)) - 1])
