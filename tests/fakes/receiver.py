"""A receiver of webhooks: a real HTTP server on loopback, which does what it is told or misbehaves.

    with Receiver() as receiver:
        receiver.secret = "whsec_…"                 # then signatures are verified, and `verified` has the events
        receiver.next(Reply(500), Hang(), Flood())  # what the coming requests get instead of 204

Signatures are verified by the standardwebhooks library, as a customer would.
"""

from __future__ import annotations

import contextlib
import ssl
import sys
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from standardwebhooks.webhooks import Webhook


@dataclass(frozen=True)
class Reply:
    """An answer as scripted."""

    status: int = 204
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Hang:
    """No answer until the receiver is closed; with ``headers_first`` its head and then no more."""

    headers_first: bool = False


@dataclass(frozen=True)
class Wait:
    """A 204 once ``go`` is set."""

    go: threading.Event


@dataclass(frozen=True)
class Drip:
    """A head that comes a byte at a time and never ends."""

    every: float = 0.05


@dataclass(frozen=True)
class Flood:
    """A body of a gigabyte, as fast as it goes, or without an end where the length is not told."""

    status: int = 200
    told: bool = True


@dataclass(frozen=True)
class Drop:
    """The connection is closed without an answer."""


Step = Reply | Hang | Wait | Drip | Flood | Drop


@dataclass(frozen=True)
class Received:
    """A request that came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers.get("webhook-id", "")


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError | ssl.SSLError):
            super().handle_error(request, client_address)


class Receiver:
    """The server. ``most_at_once`` is how many requests it ever had at the same time."""

    def __init__(self, *, address: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.received: list[Received] = []
        self.verified: list[Any] = []
        self.secret = ""
        self.written = 0
        self.at_once = self.most_at_once = 0
        self.closing = threading.Event()
        self._steps: deque[Step] = deque()
        self._lock = threading.Lock()
        self.server = Server((address, port), type("Handler", (Handler,), {"receiver": self}))
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        self.url = f"{'https' if tls else 'http'}://{address}:{self.port}/hook"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()

    def next(self, *steps: Step) -> None:
        """Let the coming requests get these, one each."""
        with self._lock:
            self._steps.extend(steps)

    @property
    def ids(self) -> list[str]:
        """The ids of what came, in order."""
        return [each.id for each in self.received]

    def take(self, came: Received) -> Step:
        """Note a request and return what it gets. Raises WebhookVerificationError where its signature is not good."""
        with self._lock:
            self.received.append(came)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            if self.secret:
                self.verified.append(Webhook(self.secret).verify(came.body, came.headers))
            return self._steps.popleft() if self._steps else Reply()

    def left(self) -> None:
        """Note that a request was answered."""
        with self._lock:
            self.at_once -= 1


class Handler(BaseHTTPRequestHandler):
    """Answers one connection, for the receiver that its server belongs to."""

    receiver: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        came = Received(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        try:
            step = self.receiver.take(came)
            with contextlib.suppress(OSError):  # they hung up
                self._do(step)
        finally:
            self.receiver.left()

    def _do(self, step: Step) -> None:
        match step:
            case Reply():
                self._head(step.status, {"Content-Length": str(len(step.body)), **step.headers})
                self.wfile.write(step.body)
            case Wait():
                step.go.wait(30)
                self._head(204, {})
            case Hang():
                if step.headers_first:
                    self._head(200, {"Content-Length": "10"})
                    self.wfile.flush()
                self.receiver.closing.wait()
            case Drip():
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
                while not self.receiver.closing.is_set():
                    self.wfile.write(b"a")
                    self.receiver.closing.wait(step.every)
            case Flood():
                self._flood(step)
            case Drop():
                self.close_connection = True

    def _flood(self, step: Flood) -> None:
        length = 2**30
        self._head(step.status, {"Content-Length": str(length)} if step.told else {})
        part = b"x" * 65536
        while (not step.told or self.receiver.written < length) and not self.receiver.closing.is_set():
            self.wfile.write(part)
            self.receiver.written += len(part)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass  # requests are in ``received``
