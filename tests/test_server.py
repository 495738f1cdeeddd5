"""The web server as a process: what it survives."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from credits.models import Scope
from credits.services.keys import create_api_key
from tests.factories import make_account
from tests.processes import runserver


def test_connections_that_died_are_noticed_before_they_are_used(server: str) -> None:
    make_account(external_id="alice", balance=100)
    _, key = create_api_key(name="web", scopes=Scope.values)
    with httpx.Client(base_url=server, headers={"X-API-Key": key}) as client:
        for spent in range(1, 6):
            answer = client.post("/api/v1/accounts/alice/debits", json={"amount": 1})
            assert (answer.status_code, answer.json()["balance_after"]) == (201, 100 - spent)
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(pg_terminate_backend(pid, 1000)) FROM pg_stat_activity"
                    " WHERE application_name = 'florin' AND pid <> pg_backend_pid() AND datname = current_database()"
                )
                assert cursor.fetchone() != (0,)


def test_a_body_in_chunks_is_read(server: str) -> None:
    """A server that does not say a body's length must not make it none: here a part would be captured as the whole."""
    make_account(external_id="alice", balance=100)
    _, key = create_api_key(name="web", scopes=Scope.values)

    def in_chunks(text: bytes) -> Iterator[bytes]:
        yield text[:5]
        yield text[5:]

    with httpx.Client(base_url=server, headers={"X-API-Key": key, "Content-Type": "application/json"}) as client:
        held = client.post("/api/v1/accounts/alice/holds", content=in_chunks(b'{"amount": 50}')).json()["id"]
        captured = client.post(f"/api/v1/holds/{held}/capture", content=in_chunks(b'{"amount": 1}')).json()
        assert (captured["transaction"]["amount"], captured["hold"]["remaining"]) == (-1, 49)
        too_large = client.post("/api/v1/accounts/alice/debits", content=in_chunks(b" " * 2_000_000))
        assert too_large.status_code == 413
        assert client.post(f"/api/v1/holds/{held}/release").status_code == 200
        nothing = client.post("/api/v1/accounts/alice/debits", content=in_chunks(b""))
        assert (nothing.status_code, list(nothing.json()["errors"])) == (400, ["amount"])


def test_whoever_has_no_key_keeps_no_thread_waiting(server: str) -> None:
    """For a body that never ends: with more of those than the server has threads, everybody else would wait too."""
    address = urlsplit(server)
    head = f"POST /api/v1/batches HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
    with ExitStack() as open_ones:
        for length in ("Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", "Content-Length: 1000\r\n\r\n{"):
            for _ in range(40):
                caller = open_ones.enter_context(socket.create_connection((address.hostname, address.port)))
                caller.sendall(f"{head}{length}".encode())
        assert httpx.get(f"{server}/health", timeout=10).status_code == 200


def test_a_refusal_that_read_no_body_ends_the_connection_and_says_so(server: str) -> None:
    with httpx.Client(base_url=server) as client:
        for _ in range(100):
            answer = client.post("/api/v1/accounts/alice/debits", json={"amount": 1})
            assert (answer.status_code, answer.headers["Connection"]) == (401, "close")
        assert "Connection" not in client.get("/health").headers


def test_djangos_own_server_answers_what_read_no_body_too(committed: None) -> None:
    user = User.objects.create_superuser("dave")
    client = Client()
    client.force_login(user)
    with runserver(SECOND_FACTOR="true") as base, httpx.Client(base_url=base) as caller:
        caller.cookies.set("sessionid", client.cookies["sessionid"].value)
        asked = caller.post("/admin/credits/unit/add/", data={"code": "EUR"})
        assert (asked.status_code, asked.headers["Location"]) == (302, "/admin/second-factor/")
        assert caller.post("/api/v1/accounts/alice/debits", json={"amount": 1}).status_code == 401
