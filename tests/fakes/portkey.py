"""A stand-in for Portkey's log API: a real HTTP server on loopback.

In a test it knows the traces it was told of, and misbehaves as scripted:

    with FakePortkey() as portkey:
        portkey.trace("trace-1", 0.8, 0.4345)          # two rows, in cents
        portkey.next(Reply(500), Hang(), Drop())        # what the coming requests get instead of rows

`python -m tests.fakes.portkey --port N` runs one for a demo. There every trace has two rows of 0.8 and 0.4345 cents
($0.012345 together) and 1,234 tokens, but for ids that begin with ``unknown``, which have none. It takes the key and
the workspace that PORTKEY_API_KEY and PORTKEY_WORKSPACE_SLUG in its environment name.

Only the standard library is used.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

PATH = "/v1/logs"
DEMO_CENTS = ("0.8", "0.4345")
DEMO_TOKENS = (1000, 234)


@dataclass(frozen=True)
class Reply:
    """An answer as scripted. ``{"key"}`` in a body stands for the key that was sent, as an echo would have it."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Hang:
    """No answer until the fake is closed, after the first ``part`` of a body where one is given."""

    part: bytes = b""


@dataclass(frozen=True)
class Drop:
    """The connection is closed, after the first ``part`` of a body where one is given."""

    part: bytes = b""


@dataclass(frozen=True)
class Drip:
    """A body that goes on until somebody hangs up."""

    part: bytes = b" " * 65536


Step = Reply | Hang | Drop | Drip


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    trace_id: str
    workspace: str
    key: str
    page: int
    page_size: int
    headers: dict[str, str]


def row(number: int, trace_id: str, cents: Any, tokens: int = 10) -> dict[str, Any]:
    """Return a row of the log. Cents given as text are printed as a number with just those digits."""
    return {
        "id": f"{trace_id}-{number}",
        "trace_id": trace_id,
        "created_at": "2026-10-08T16:30:00.000Z",
        "is_success": True,
        "ai_model": "gpt-4o",
        "req_units": tokens - tokens // 3,
        "res_units": tokens // 3,
        "total_units": tokens,
        "cost": cents,
        "cost_currency": "USD",
    }


class Server(ThreadingHTTPServer):
    daemon_threads = True
    # Room for all the threads of a test to knock at once.
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class FakePortkey:
    """The server. ``most_rows`` is how many rows it tells at once, whatever page size is asked for."""

    def __init__(
        self, *, key: str = "pk-secret", workspace: str = "ws-test", port: int = 0, demo: bool = False
    ) -> None:
        self.key, self.workspace, self.demo = key, workspace, demo
        self.most_rows = 100
        self.asked: list[Asked] = []
        self.closing = threading.Event()
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self._steps: deque[Step] = deque()
        self._lock = threading.Lock()
        self.server = Server(("127.0.0.1", port), type("Handler", (Handler,), {"fake": self}))
        self.url = f"http://127.0.0.1:{self.server.server_port}{PATH}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()

    def trace(self, trace_id: str, *cents: Any, rows: Iterable[dict[str, Any]] | None = None) -> None:
        """Know a trace: by what its rows cost, or by the rows themselves."""
        told = list(rows) if rows is not None else [row(number, trace_id, each) for number, each in enumerate(cents)]
        self._rows[trace_id] = told

    def next(self, *steps: Step) -> None:
        """Let the coming requests get these, one each, instead of rows."""
        with self._lock:
            self._steps.extend(steps)

    def take(self, asked: Asked) -> Step:
        """Note a request and return what it gets."""
        with self._lock:
            self.asked.append(asked)
            if self._steps:
                return self._steps.popleft()
        if asked.key != self.key:
            return Reply(401, b'{"success": false, "data": {"message": "Invalid API Key {key}"}}')
        if asked.workspace != self.workspace:
            return Reply(403, b'{"success": false, "data": {"message": "No such workspace"}}')
        rows = self._of(asked.trace_id)
        size = min(asked.page_size, self.most_rows)
        page = rows[asked.page * size : (asked.page + 1) * size]
        return Reply(200, dumps({"object": "list", "total": len(rows), "data": page}))

    def _of(self, trace_id: str) -> list[dict[str, Any]]:
        if not self.demo:
            return self._rows.get(trace_id, [])
        if trace_id.startswith("unknown"):
            return []
        pairs = zip(DEMO_CENTS, DEMO_TOKENS, strict=True)
        return [row(number, trace_id, cents, tokens) for number, (cents, tokens) in enumerate(pairs)]


def dumps(value: Any) -> bytes:
    """Return JSON in which a cost given as text is a number with just those digits."""
    return _bare(json.dumps(value)).encode()


def _bare(text: str) -> str:
    parts = text.split('"cost": "')
    return '"cost": '.join([parts[0], *(part.replace('"', "", 1) for part in parts[1:])])


class Handler(BaseHTTPRequestHandler):
    """Answers one connection, for the fake that its server belongs to."""

    protocol_version = "HTTP/1.1"
    fake: FakePortkey

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if address.path != PATH:
            self._send(Reply(404))
            return
        query = {name: values[-1] for name, values in parse_qs(address.query).items()}
        asked = Asked(
            query.get("trace_id", ""),
            query.get("workspace_slug", ""),
            self.headers.get("x-portkey-api-key", ""),
            int(query.get("current_page", 0)),
            int(query.get("page_size", 50)),
            dict(self.headers),
        )
        step = self.fake.take(asked)
        if isinstance(step, Reply):
            body = step.body.replace(b"{key}", asked.key.encode())
            self._send(Reply(step.status, body, step.headers))
        else:
            self._misbehave(step)

    def _send(self, reply: Reply) -> None:
        self.send_response_only(reply.status)
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(len(reply.body)),
            "Date": self.date_time_string(),
            **reply.headers,
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def _misbehave(self, step: Hang | Drop | Drip) -> None:
        self.close_connection = True
        if step.part:
            self.send_response(200)
            self.send_header("Content-Length", str(2**40))
            self.end_headers()
            self.wfile.write(step.part)
            self.wfile.flush()
        if isinstance(step, Hang):
            self.fake.closing.wait()
        with contextlib.suppress(OSError):  # they hung up
            while isinstance(step, Drip) and not self.fake.closing.is_set():
                self.wfile.write(step.part)

    def log_message(self, *_: Any) -> None:
        pass  # requests are in ``asked``


def main() -> None:
    """Run one for a demo until a signal stops it."""
    parser = argparse.ArgumentParser(description="A stand-in for Portkey's log API, for demos.")
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    key = os.environ.get("PORTKEY_API_KEY", "demo")
    fake = FakePortkey(key=key, workspace=os.environ.get("PORTKEY_WORKSPACE_SLUG", "demo"), port=port, demo=True)
    with contextlib.suppress(KeyboardInterrupt):
        fake.server.serve_forever()


if __name__ == "__main__":
    main()
