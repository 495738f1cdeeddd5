"""Dialect A, as its predecessor's end-to-end story tells it: names and statuses byte by byte."""

from __future__ import annotations

from tests.conftest import Api

JOHN = "john@example.com"


def test_the_story_of_john(api: Api) -> None:
    assert api.get("/api/v1/health").status_code == 200

    opened = api.post("/api/v1/accounts", {"user_id": JOHN, "initial_balance": 0.00})
    assert opened.status_code == 201
    assert {"account_id", "user_id", "balance"} <= opened.json().keys()
    assert isinstance(opened.json()["account_id"], str)
    assert (opened.json()["user_id"], opened.json()["balance"]) == (JOHN, 0)

    topped = api.post("/api/v1/topup", {"user_id": JOHN, "amount": 100.00})
    assert (topped.status_code, topped.content) == (
        200,
        b'{"user_id":"john@example.com","amount_added":100,"new_balance":100}',
    )

    balance = api.post("/api/v1/balance", {"user_id": JOHN})
    assert (balance.status_code, balance.content) == (200, b'{"user_id":"john@example.com","balance":100}')

    billed = api.post("/api/v1/bill", {"user_id": JOHN, "amount": 0.25, "description": "Gemini API call"})
    assert (billed.status_code, billed.content) == (
        200,
        b'{"user_id":"john@example.com","amount_billed":0.25,"new_balance":99.75}',
    )
    assert api.post("/api/v1/balance", {"user_id": JOHN}).json() == {"user_id": JOHN, "balance": 99.75}


def test_a_bill_of_an_eighth_of_a_thousandth_is_charged_exactly(api: Api) -> None:
    api.post("/api/v1/accounts", {"user_id": JOHN, "initial_balance": 1})

    billed = api.post("/api/v1/bill", b'{"user_id":"john@example.com","amount":0.000125}')

    assert billed.content == b'{"user_id":"john@example.com","amount_billed":0.000125,"new_balance":0.999875}'


def test_an_existing_user_is_a_409(api: Api) -> None:
    api.post("/api/v1/accounts", {"user_id": JOHN})

    again = api.post("/api/v1/accounts", {"user_id": JOHN})

    assert (again.status_code, again.json()["code"]) == (409, "account_exists")


def test_an_unknown_user_is_a_404_everywhere(api: Api) -> None:
    for path, body in [("balance", {}), ("topup", {"amount": 1}), ("bill", {"amount": 1})]:
        answer = api.post(f"/api/v1/{path}", {"user_id": "nobody", **body})
        assert (answer.status_code, answer.json()["code"]) == (404, "account_not_found")


def test_a_shortage_is_a_402_with_a_detail_and_moves_nothing(api: Api) -> None:
    api.post("/api/v1/accounts", {"user_id": JOHN, "initial_balance": 1})

    refused = api.post("/api/v1/bill", {"user_id": JOHN, "amount": 1.5})

    assert refused.status_code == 402
    assert refused.json()["detail"] == "Insufficient credits: 1.5 needed, 1 available."
    assert api.post("/api/v1/balance", {"user_id": JOHN}).json()["balance"] == 1


def test_a_malformed_body_names_the_field(api: Api) -> None:
    refused = api.post("/api/v1/topup", {"user_id": JOHN, "amount": "much"})

    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["amount"])


def test_a_repeated_bill_with_its_key_is_charged_once(api: Api) -> None:
    api.post("/api/v1/accounts", {"user_id": JOHN, "initial_balance": 10})
    body = {"user_id": JOHN, "amount": 4}

    first = api.post("/api/v1/bill", body, once="call-1")
    second = api.post("/api/v1/bill", body, once="call-1")

    assert second.content == first.content
    assert second.headers["Idempotency-Replayed"] == "true"
    assert api.post("/api/v1/balance", {"user_id": JOHN}).json()["balance"] == 6
