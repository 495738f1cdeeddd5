"""Errors and traces reach whom a setting names, without secrets: a receiver on this machine."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from django.db import connection

from credits.models import Scope
from credits.services.keys import create_api_key
from tests.processes import web


class Receiver:
    """Keeps what is sent to it, unpacked."""

    def __init__(self) -> None:
        self.got: list[tuple[str, bytes]] = []
        self.came = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                unpacked = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
                self.send_response(200)
                self.end_headers()
                with receiver.came:
                    receiver.got.append((self.path, unpacked))
                    receiver.came.notify_all()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"127.0.0.1:{self.server.server_address[1]}"

    def wait_for(self, path: str) -> bytes:
        with self.came:
            assert self.came.wait_for(lambda: any(each.startswith(path) for each, _ in self.got), timeout=30)
            return b"".join(body for each, body in self.got if each.startswith(path))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


def test_traces_are_sent_where_the_setting_says(committed: None, receiver: Receiver) -> None:
    with web(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{receiver.address}", OTEL_BSP_SCHEDULE_DELAY="200") as base:
        httpx.get(f"{base}/health/live")
        spans = receiver.wait_for("/v1/traces")
    assert b"florin" in spans


@pytest.fixture
def broken(committed: None) -> Iterator[None]:
    """A table is missing, so that a page fails."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE billing_pack RENAME TO billing_lost")
        yield
        cursor.execute("ALTER TABLE billing_lost RENAME TO billing_pack")


def test_errors_are_sent_without_keys_and_cookies(broken: None, receiver: Receiver) -> None:
    _, key = create_api_key(name="web", scopes=Scope.values)
    headers = {"Authorization": f"Bearer {key}", "Cookie": "sessionid=s3cret", "X-Request-ID": "req-9"}
    with web(SENTRY_DSN=f"http://public@{receiver.address}/1") as base:
        assert httpx.get(f"{base}/api/v1/packs", headers=headers).status_code == 500
        sent = receiver.wait_for("/api/1/envelope")
    assert b"UndefinedTable" in sent
    assert key.encode() not in sent
    assert b"s3cret" not in sent
