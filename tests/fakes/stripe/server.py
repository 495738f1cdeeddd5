"""The HTTP side: /v1/… is the API, anything else a page for people."""

from __future__ import annotations

import json
import sys
import threading
import time
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from . import pages
from .api import Answer, Api, Dropped, printed
from .script import Script
from .store import Clock, Store
from .webhooks import Deliveries, Endpoint

KEY, LIVE_KEY = "sk_test_florin", "sk_live_florin"
SECRET = "whsec_florin"  # a fake's


class Server(ThreadingHTTPServer):
    daemon_threads = True
    # Room for all the threads of a test to knock at once.
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class FakeStripe(Script):
    """One account. ``key`` opens its test mode, ``live_key`` its live mode; ``url`` is the API's base address."""

    def __init__(
        self,
        *,
        key: str = KEY,
        live_key: str = LIVE_KEY,
        secret: str = SECRET,
        port: int = 0,
        clock: Callable[[], float] = time.time,
        kept: Path | None = None,
        on_move: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.key, self.live_key, self.secret = key, live_key, secret
        self.clock = Clock(clock)
        self.lock = threading.RLock()
        self.deliveries = Deliveries()
        # Told where to the dashboard is about to put the clock forward, so that other clocks go along.
        self.on_move = on_move
        self.crashes: list[str] = []
        self.server = Server(("127.0.0.1", port), type("Handler", (Handler,), {"fake": self}))
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.store = Store(self.clock, self.lock, live=False, url=self.url)
        self.live = Store(self.clock, self.lock, live=True, url=self.url)
        self.store.other, self.live.other = self.live, self.store
        for store in (self.store, self.live):
            store.on_event = self.deliveries.put
        self.api = Api({key: self.store, live_key: self.live})
        self._kept = kept
        if kept is not None and kept.exists():
            self._load(kept)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for fault in self.api.faults:
            if fault.gate is not None:
                fault.gate.set()
        self.deliveries.stop()
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()
        if self.crashes:
            raise AssertionError("The fake crashed:\n" + "\n".join(self.crashes))

    def webhooks(self, url: str, *secrets: str) -> Endpoint:
        """Have webhooks sent to an address, signed with each of the secrets, or with the fake's own."""
        endpoint = Endpoint(url, list(secrets) or [self.secret])
        self.deliveries.endpoints.append(endpoint)
        return endpoint

    def reset(self) -> None:
        """Forget everything but the addresses, so that one server serves many histories."""
        with self.lock:
            self.store.clear()
            self.live.clear()
            self.api.clear()
            self.deliveries.clear()
            self.clock.offset = 0.0

    def _load(self, kept: Path) -> None:
        told = json.loads(kept.read_text())
        self.clock.offset = told["offset"]
        self.store.load(told["test"])
        self.live.load(told["live"])

    def save(self) -> None:
        """Write all of it down, where there is a file for that."""
        if self._kept is None:
            return
        with self.lock:
            told = {"offset": self.clock.offset, "test": self.store.dump(), "live": self.live.dump()}
            draft = self._kept.with_name(f".{self._kept.name}")
            draft.write_text(json.dumps(told))
            draft.replace(self._kept)


class Handler(BaseHTTPRequestHandler):
    """Answers one connection, for the fake that its server belongs to."""

    protocol_version = "HTTP/1.1"
    # Otherwise head and body are two packets, and the second waits for the first one's acknowledgement.
    disable_nagle_algorithm = True
    wbufsize = -1
    fake: FakeStripe

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        address = urlsplit(self.path)
        path = unquote(address.path)
        try:
            if path.startswith("/v1/"):
                form = body if self.command == "POST" else address.query
                answer = self.fake.api.answer(self.command, path, form, self.headers)
            else:
                answer = pages.answer(self.fake, self.command, path, body)
        except Dropped:
            self.close_connection = True
            return
        except Exception:  # whatever it was, the test is to hear of it
            self.fake.crashes.append(traceback.format_exc())
            answer = printed(500, {"error": {"type": "api_error", "message": "The fake crashed."}})
        if self.command != "GET":
            self.fake.save()
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        headers = {"Content-Length": str(len(answer.body)), "Date": self.date_time_string(), **answer.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        pass  # requests are in ``api.asked``
