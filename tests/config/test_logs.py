"""Log lines say who and what, and no secret."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from config.logs import formatter
from credits.models import Account
from tests.conftest import Api


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is logged, as production prints it."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(formatter("json"))
    root, requests = logging.getLogger(), logging.getLogger("florin.requests")
    before = requests.level
    root.addHandler(handler)
    requests.setLevel("INFO")
    yield text
    root.removeHandler(handler)
    requests.setLevel(before)


def test_a_request_is_one_line_with_its_key_account_and_id(api: Api, alice: Account, lines: io.StringIO) -> None:
    headers = {"X-Request-ID": "req-7"}
    api.post(f"/api/v1/accounts/{alice.external_id}/debits", {"amount": 1}, **headers)
    told = json.loads(lines.getvalue())
    assert told["event"] == "request"
    assert (told["method"], told["status"], told["request_id"]) == ("POST", 201, "req-7")
    assert (told["key"], told["account"]) == (api.row.prefix, alice.external_id)
    assert (told["level"], told["path"]) == ("info", f"/api/v1/accounts/{alice.external_id}/debits")
    assert api.key not in lines.getvalue()


def test_a_predecessors_body_names_the_account_too(api: Api, lines: io.StringIO) -> None:
    api.post("/api/v1/credits/add", {"tenant_id": "tenant-9", "amount": 1})
    assert json.loads(lines.getvalue())["account"] == "tenant-9"


def test_one_request_does_not_speak_of_the_one_before(api: Api, alice: Account, lines: io.StringIO) -> None:
    api.get(f"/api/v1/accounts/{alice.external_id}/balance")
    api.client.get("/api/v1/accounts")
    assert "account" not in json.loads(lines.getvalue().splitlines()[1])


@pytest.mark.parametrize(
    "text",
    [
        "password=hunter2",
        "postgresql://ada:hunter2@db/x",
        "Authorization: Bearer hunter2",
        "whsec_hunter2",
        "whsec_aGk+hunter2/hunter2==",
        "sk_live_hunter2",
        "flr_abcdefgh_hunter2",
    ],
)
def test_secrets_are_left_out_of_messages_and_tracebacks(lines: io.StringIO, text: str) -> None:
    log = logging.getLogger("tests.secrets")
    try:
        raise ValueError(text)
    except ValueError:
        log.exception("It failed with %s", text)
    told = json.loads(lines.getvalue())
    assert told["level"] == "error"
    assert "Traceback" in told["exception"]
    assert "hunter2" not in lines.getvalue()


def test_health_is_asked_in_silence(database: None, api: Api, lines: io.StringIO) -> None:
    api.client.get("/health")
    assert lines.getvalue() == ""
