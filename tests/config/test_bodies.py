"""Bodies whose length nobody said, and bodies that nobody read."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest

from config.bodies import Body, with_length
from credits.api.bodies import MOST_BODY

UNSAID = str(MOST_BODY + 1)


@pytest.mark.parametrize(
    ("said", "length"),
    [
        ({"CONTENT_LENGTH": "12"}, "12"),
        ({}, "0"),
        ({"HTTP_TRANSFER_ENCODING": "chunked"}, UNSAID),
        ({"SERVER_PROTOCOL": "HTTP/2.0"}, UNSAID),
        ({"SERVER_PROTOCOL": "HTTP/2.0", "REQUEST_METHOD": "GET"}, "0"),
        ({"HTTP_TRANSFER_ENCODING": "chunked", "REQUEST_METHOD": "HEAD"}, "0"),
    ],
)
def test_a_length_is_said_for_a_body_that_may_be_there(said: dict[str, Any], length: str) -> None:
    seen: list[dict[str, Any]] = []

    def application(environ: dict[str, Any], start_response: object) -> list[bytes]:
        seen.append(environ)
        return []

    with_length(application)(request(said), lambda *_: None)

    assert seen[0]["CONTENT_LENGTH"] == length


@pytest.mark.parametrize(
    ("said", "read", "ends"),
    [
        ({"CONTENT_LENGTH": "13"}, [], True),
        ({"CONTENT_LENGTH": "13"}, [5], True),
        ({"CONTENT_LENGTH": "13"}, [5, 8], False),
        ({"CONTENT_LENGTH": "13"}, [-1], False),
        ({"CONTENT_LENGTH": "13", "SERVER_PROTOCOL": "HTTP/2.0"}, [], False),
        ({"CONTENT_LENGTH": "13", "wsgi.input_terminated": False}, [], False),
        ({"CONTENT_LENGTH": ""}, [], False),
        ({"HTTP_TRANSFER_ENCODING": "chunked"}, [], True),
        ({"HTTP_TRANSFER_ENCODING": "chunked"}, [13], True),
        ({"HTTP_TRANSFER_ENCODING": "chunked"}, [14], False),
    ],
)
def test_a_caller_is_told_that_its_body_was_not_read(said: dict[str, Any], read: list[int], ends: bool) -> None:
    sent: list[tuple[str, str]] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        for size in read:
            environ["wsgi.input"].read(size)
        start_response("401 Unauthorized", [("X", "y")])
        return []

    with_length(application)(request(said), lambda status, headers: sent.extend(headers))

    assert sent == [("X", "y"), ("Connection", "close")] if ends else [("X", "y")]


def test_a_body_is_read_by_lines() -> None:
    body = Body(BytesIO(b"one\ntwo\n"), 8)

    assert (body.readline(), body.readline(), body.read_whole) == (b"one\n", b"two\n", True)


def request(said: dict[str, Any]) -> dict[str, Any]:
    """Return what a server says of a request, but for what ``said`` says otherwise."""
    return {
        "REQUEST_METHOD": "POST",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.input_terminated": True,
        "wsgi.input": BytesIO(b'{"amount": 1}'),
        **said,
    }
