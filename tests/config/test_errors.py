from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.conftest import Api


def test_an_address_of_the_api_that_is_none_is_a_problem(api: Api) -> None:
    answer = api.get("/api/v1/nowhere")

    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")
    assert answer.json()["code"] == "not_found"


def test_another_is_a_page(client: Client) -> None:
    assert client.get("/nowhere").headers["Content-Type"].startswith("text/html")


def test_a_host_that_is_not_ours_is_a_400_in_the_callers_language(api: Api) -> None:
    answer = Client(headers={"host": "evil.example"}).get("/api/v1/health")

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


def test_a_defect_tells_nothing_but_the_request_id(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr("credits.api.views.account_moves.movements.spend_credits", breaks)
    api.client.raise_request_exception = False

    answer = api.post("/api/v1/accounts/alice/debits", {"amount": 1})

    assert (answer.status_code, answer.json()["code"]) == (500, "error")
    assert b"hunter2" not in answer.content
    assert answer.headers["X-Request-ID"]
