"""Whatever is sent, the answer is a clear refusal and the books stay as they were."""

from __future__ import annotations

import json
from typing import Any

import pytest

from credits.models import Account, IdempotencyRecord
from credits.services import accounts
from tests.books import Books
from tests.conftest import Api
from tests.factories import memo

DEBITS = "/api/v1/accounts/alice@example.com/debits"

AMOUNTS = ["0", "-1", "-0.0", "NaN", "Infinity", "-Infinity", "1e400", "-1e400", '"abc"', "true", "null", "[]", "{}",
           "0.5", "1e-7", "1000000000001", '""', '"1e999999999"', "1e-999999999", '"NaN"', "0." + "1" * 100,
           '" "', "1" * 400]  # fmt: skip


@pytest.fixture
def untouched(alice: Account, books: Books) -> Any:
    """Prove that nothing was written in the test."""
    before = books()
    yield
    assert books() == before
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.usefixtures("untouched")
class TestNothingIsWrittenAnd:
    @pytest.mark.parametrize("amount", AMOUNTS)
    @pytest.mark.parametrize("path", ["debits", "topups", "holds", "adjustments"])
    def test_a_bad_amount_is_named(self, api: Api, path: str, amount: str) -> None:
        body = b'{"reason": "goodwill", "amount": ' + amount.encode() + b"}"
        if path == "adjustments" and amount in {"-1"}:
            body = body.replace(b"-1", b"-1e13")

        answer = api.post(f"/api/v1/accounts/alice@example.com/{path}", body, once="k")

        assert answer.status_code == 400
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert list(answer.json()["errors"]) == ["amount"]

    @pytest.mark.parametrize(
        "body",
        [b"", b"{", b"[]", b'"x"', b"1", b"\xff\xfe", b'{"amount": }', b"[" * 100_000, b'{"a":' * 50_000 + b"1"],
    )
    def test_what_is_not_a_json_object_is_a_400(self, api: Api, body: bytes) -> None:
        assert api.post(DEBITS, body).status_code == 400

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x"])
    def test_another_content_type_is_a_415(self, api: Api, kind: str) -> None:
        assert api.post(DEBITS, b'{"amount": 1}', content_type=kind).status_code == 415

    def test_a_body_of_two_megabytes_is_a_413(self, api: Api) -> None:
        body = json.dumps({"amount": 1, "description": "x" * 2_000_000}).encode()

        answer = api.post(DEBITS, body)

        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("description", "a\0b"),
            ("description", "\ud800"),
            ("description", "x" * 501),
            ("description", 5),
            ("feature", "a\0b"),
            ("reference_type", "x" * 65),
            ("reference_id", "x" * 256),
            ("reference_id", "\0"),
            ("metadata", "x"),
            ("metadata", []),
            ("metadata", {"a": "b\0c"}),
            ("metadata", {"\0": 1}),
            ("metadata", {"a": "\udfff"}),
            ("metadata", {"a": 10**30}),
            ("metadata", {"a": "x" * 100_000}),
            ("metadata", {str(number): 1 for number in range(101)}),
        ],
    )
    def test_a_bad_text_is_named(self, api: Api, field: str, value: Any) -> None:
        answer = api.post(DEBITS, {"amount": 1, field: value})

        assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])

    @pytest.mark.parametrize("number", [b"NaN", b"1e400", b"0." + b"1" * 50])
    def test_a_number_in_metadata_that_json_cannot_keep_is_named(self, api: Api, number: bytes) -> None:
        answer = api.post(DEBITS, b'{"amount": 1, "metadata": {"a": ' + number + b"}}")

        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["metadata"])

    def test_deep_metadata_is_named(self, api: Api) -> None:
        deep: Any = 1
        for _ in range(50):
            deep = {"a": deep}

        answer = api.post(DEBITS, {"amount": 1, "metadata": deep})

        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["metadata"])

    @pytest.mark.parametrize("external_id", ["", "x" * 300, "a\0b", "\ud800", 5, None])
    def test_a_bad_id_is_named(self, api: Api, external_id: Any) -> None:
        answer = api.post("/api/v1/accounts", {"external_id": external_id})

        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["external_id"])

    @pytest.mark.parametrize(
        ("path", "status", "code"),
        [
            ("/api/v1/accounts/nobody/debits", 404, "account_not_found"),
            ("/api/v1/accounts/" + "x" * 300 + "/debits", 404, "account_not_found"),
            ("/api/v1/accounts/%00/debits", 404, "account_not_found"),
            ("/api/v1/accounts/%F0%9F%92%B0/debits", 404, "account_not_found"),
            (DEBITS + "?unit=doubloons", 400, "invalid"),
            (DEBITS + "?unit=%00", 400, "invalid"),
            (DEBITS + "?unit=USD", 404, "account_not_found"),
            ("/api/v1/holds/not-an-id/capture", 404, "not_found"),
            ("/api/v1/holds/00000000-0000-0000-0000-000000000000/capture", 404, "hold_not_found"),
            ("/api/v1/holds/------------------------------------/capture", 404, "hold_not_found"),
            ("/api/v1/transactions/00000000-0000-0000-0000-000000000000/refund", 404, "transaction_not_found"),
        ],
    )
    def test_the_unknown_is_told_so(self, api: Api, path: str, status: int, code: str) -> None:
        answer = api.post(path, {"amount": 1})

        assert (answer.status_code, answer.json()["code"]) == (status, code)

    @pytest.mark.parametrize("key", ["", "x" * 256, "a b", "a\tb", "ä"])
    def test_a_bad_key_is_named(self, api: Api, key: str) -> None:
        answer = api.post(DEBITS, {"amount": 1}, **{"Idempotency-Key": key})

        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["Idempotency-Key"])

    @pytest.mark.parametrize(
        "query",
        ["at=yesterday", "at=2026-01-01", "at=2026-01-01T00:00:00", "at=9999999999", "at=2026-13-01T00:00:00Z"],
    )
    def test_a_bad_moment_is_named(self, api: Api, query: str) -> None:
        answer = api.get(f"/api/v1/accounts/alice@example.com/balance?{query}")

        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["at"])

    @pytest.mark.parametrize(
        "path",
        [
            "/api/v1/transactions?reference_id=%00",
            "/api/v1/transactions?kind=x",
            "/api/v1/transactions?hold_id=x",
            "/api/v1/transactions?cursor=x",
            "/api/v1/transactions?recorded_from=x",
            "/api/v1/accounts?status=x",
            "/api/v1/accounts?external_id=%00",
            "/api/v1/accounts?cursor=%FF",
            "/api/v1/accounts/alice@example.com/statement?after=-1",
            "/api/v1/accounts/alice@example.com/statement?format=xml",
            "/api/v1/accounts/alice@example.com/statement?limit=501",
            "/api/v1/accounts/alice@example.com/statement?limit=0",
        ],
    )
    def test_a_bad_query_is_a_400_or_404(self, api: Api, path: str) -> None:
        assert api.get(path).status_code in {400, 404}

    def test_terms_that_cannot_be_are_named(self, api: Api) -> None:
        for field, value in [
            ("expires_at", "2020-01-01T00:00:00Z"),
            ("expires_at", "soon"),
            ("category", "stolen"),
            ("priority", -1),
            ("priority", 10**9),
            ("paid_minor", -1),
            ("paid_currency", "dollars"),
        ]:
            answer = api.post("/api/v1/accounts/alice@example.com/topups", {"amount": 1, field: value})
            assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
        unpriced = api.post("/api/v1/accounts/alice@example.com/topups", {"amount": 1, "paid_minor": 5})
        assert list(unpriced.json()["errors"]) == ["paid_currency"]

    def test_an_adjustment_needs_a_reason_from_the_list(self, api: Api) -> None:
        for body in ({"amount": 1}, {"amount": 1, "reason": "because"}):
            answer = api.post("/api/v1/accounts/alice@example.com/adjustments", body)
            assert (answer.status_code, list(answer.json()["errors"])) == (400, ["reason"])

    @pytest.mark.parametrize(
        "body", [{}, {"items": []}, {"items": 5}, {"items": [1] * 10_001}, {"items": [1], "atomic": "yes"}]
    )
    def test_a_malformed_batch_is_a_400(self, api: Api, body: Any) -> None:
        assert api.post("/api/v1/batches", body).status_code == 400


def test_states_that_forbid_are_409_with_their_code(api: Api, alice: Account, bob: Account) -> None:
    accounts.freeze_account(account=alice.pk, reason="")
    accounts.close_account(account=bob.pk, memo=memo())

    frozen = api.post(DEBITS, {"amount": 1})
    closed = api.post("/api/v1/accounts/bob/topups", {"amount": 1})

    assert (frozen.status_code, frozen.json()["code"]) == (409, "account_frozen")
    assert (closed.status_code, closed.json()["code"]) == (409, "account_closed")


def test_impossible_captures_and_refunds(api: Api, alice: Account) -> None:
    held = api.post("/api/v1/accounts/alice@example.com/holds", {"amount": 10}).json()["id"]
    beyond = api.post(f"/api/v1/holds/{held}/capture", {"amount": 11})
    spent = api.post(f"/api/v1/holds/{held}/capture").json()["transaction"]["id"]
    again = api.post(f"/api/v1/holds/{held}/capture")
    late = api.post(f"/api/v1/holds/{held}/release")
    too_much = api.post(f"/api/v1/transactions/{spent}/refund", {"amount": 11})

    assert [(each.status_code, each.json()["code"]) for each in (beyond, again, late, too_much)] == [
        (422, "capture_exceeds_hold"),
        (409, "hold_closed"),
        (409, "hold_closed"),
        (422, "refund_exceeds_spend"),
    ]


def test_a_shortage_says_all_there_is_to_say(api: Api, alice: Account) -> None:
    api.post("/api/v1/accounts/alice@example.com/topups", {"amount": 5, "expires_at": "2099-01-01T00:00:00Z"})
    api.post("/api/v1/accounts/alice@example.com/holds", {"amount": 10})

    said = api.post(DEBITS, {"amount": 1000}).json()

    assert (said["needed"], said["available"], said["balance"], said["held"], said["short"]) == (1000, 95, 105, 10, 905)
    assert (said["type"], said["status"], said["code"]) == ("/problems/insufficient_credits", 402, said["code"])
    # The hold reserves the lot that would be drawn first: the one that expires.
    assert said["expiring"] == []
