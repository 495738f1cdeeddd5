"""Whatever is sent, the answer is a clear refusal and the books stay as they were."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from credits.models import Account, IdempotencyRecord
from credits.services import accounts
from tests.books import Books
from tests.conftest import Api
from tests.factories import hold, make_account, memo

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
            ("reference_type", "allotment"),
            ("reference_type", "rating"),
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

    @pytest.mark.parametrize(
        ("address", "body", "named"),
        [
            ("/api/v1/accounts/alice@example.com/topups", {"amount": 1, "category": "\ud800"}, "category"),
            ("/api/v1/prices", {"feature": "x", "scheme": "\ud800", "terms": {}}, "scheme"),
            ("/api/v1/prices", {"feature": "x", "scheme": "fixed", "terms": {"\ud800": 1}}, "terms"),
            ("/api/v1/accounts/alice@example.com/quotas/reset", {"period": "daily", "\ud800": 1}, "?"),
        ],
    )
    def test_half_a_pair_where_the_answer_repeats_it_is_named(
        self, api: Api, address: str, body: dict[str, Any], named: str
    ) -> None:
        answer = api.post(address, json.dumps(body).encode())

        assert (answer.status_code, list(answer.json()["errors"])) == (400, [named])

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


class TestWhatAnAttackFound:
    @pytest.mark.parametrize("position", ["p=abc", "p=%00", "p=", "o=x&p=1"])
    @pytest.mark.parametrize(
        "path",
        ["accounts", "transactions", "transactions?account=bob", "accounts/bob/grants", "accounts/bob/holds"],
    )
    def test_a_tampered_cursor_is_no_server_error(self, api: Api, bob: Account, path: str, position: str) -> None:
        cursor = base64.b64encode(position.encode()).decode()

        answer = api.get(f"/api/v1/{path}{'&' if '?' in path else '?'}cursor={cursor}")

        assert answer.status_code in {200, 400, 404}

    def test_a_long_email_is_named(self, api: Api, bob: Account) -> None:
        email = "x" * 64 + "@" + ".".join(["y" * 60] * 4) + ".example"
        opened = api.post("/api/v1/accounts", {"external_id": "x", "email": email})
        changed = api.patch("/api/v1/accounts/bob", {"email": email})

        assert [each.status_code for each in (opened, changed)] == [400, 400]

    @pytest.mark.parametrize("user_id", ["x" * 300, "a%00b"])
    def test_an_id_in_an_address_is_named(self, api: Api, user_id: str) -> None:
        answers = [api.post(f"/api/credits/{user_id}/{verb}", {"amount": 1}) for verb in ("add", "deduct")]
        answers.append(api.get(f"/api/credits/{user_id}/balance"))

        assert [(each.status_code, list(each.json()["errors"])) for each in answers] == [(400, ["user_id"])] * 3

    @pytest.mark.parametrize("external_id", ["acme/", "x/balance", "/", "a/b/close"])
    def test_an_id_that_reads_like_an_address_is_refused(self, api: Api, external_id: str) -> None:
        assert api.post("/api/v1/accounts", {"external_id": external_id}).status_code == 400

    def test_a_misspelt_amount_is_not_taken_for_none(self, api: Api, alice: Account) -> None:
        held = api.post("/api/v1/accounts/alice@example.com/holds", {"amount": 50}).json()["id"]
        spent = api.post(DEBITS, {"amount": 5}).json()["id"]

        for path in (f"/api/v1/holds/{held}/capture", f"/api/v1/transactions/{spent}/refund"):
            answer = api.post(path, {"amout": 1})
            assert (answer.status_code, list(answer.json()["errors"])) == (400, ["amout"])

    def test_a_name_said_twice_is_refused(self, api: Api, alice: Account) -> None:
        assert api.post(DEBITS, b'{"amount": 1, "amount": 2}').status_code == 400

    @pytest.mark.parametrize("body", ['{"amount": 1}'.encode("utf-16"), b'\xef\xbb\xbf{"amount": 1}'])
    def test_another_encoding_is_refused(self, api: Api, alice: Account, body: bytes) -> None:
        assert api.post(DEBITS, body).status_code == 400

    @pytest.mark.parametrize("amount", ["1_0", "\uff11", " 1 ", "0x1", "1e"])
    def test_text_that_only_python_takes_for_a_number_is_refused(self, api: Api, alice: Account, amount: str) -> None:
        assert api.post(DEBITS, {"amount": amount}).status_code == 400

    def test_an_expiry_needs_its_zone(self, api: Api, alice: Account) -> None:
        body = {"amount": 1, "expires_at": "2099-01-01T00:00:00"}

        answer = api.post("/api/v1/accounts/alice@example.com/topups", body)

        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["expires_at"])

    def test_a_blank_filter_is_not_taken_for_none(self, api: Api, alice: Account) -> None:
        assert api.get("/api/v1/transactions?account=%20").json()["results"] == []
        assert api.get("/api/v1/transactions?account=").status_code == 400

    def test_minting_and_giving_up_credits_need_their_scopes(self, alice: Account) -> None:
        opener = Api("accounts:write", name="opener")

        for body in ({"initial_balance": 5}, {"overdraft_limit": 5}):
            assert opener.post("/api/v1/accounts", {"external_id": "x", **body}).status_code == 403
        assert opener.patch("/api/v1/accounts/alice@example.com", {"overdraft_limit": 5}).status_code == 403
        assert opener.post("/api/v1/accounts/alice@example.com/close", {"forfeit": True}).status_code == 403
        assert opener.post("/api/v1/accounts", {"external_id": "x", "initial_balance": 0}).status_code == 201

    def test_a_part_of_a_credit_is_a_400_for_a_user_never_seen(self, api: Api) -> None:
        answer = api.post("/api/credits/nobody/deduct", {"amount": 1.5})

        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["amount"])

    def test_fields_are_named_as_they_were_sent(self, api: Api, alice: Account) -> None:
        held = api.post("/api/v1/accounts/alice@example.com/holds", {"amount": 5, "ttl_seconds": 600}).json()["id"]
        me = "alice@example.com"
        for path, body, field in [
            (f"/api/v1/holds/{held}/extend", {"ttl_seconds": 1}, "ttl_seconds"),
            ("/api/v1/transfers", {"source": me, "target": me, "amount": 1}, "target"),
            (f"/api/credits/{me}/transfer", {"to_user_id": me, "amount": 1}, "to_user_id"),
            ("/api/v1/credits/consume", {"tenant_id": me, "amount": 1, "idempotency_key": "a b"}, "idempotency_key"),
        ]:
            answer = api.post(path, body)
            assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])

    def test_a_limit_lowered_beside_a_hold_that_timed_out_is_settled_first(self, api: Api) -> None:
        past = timezone.now() - timedelta(hours=2)
        carl = make_account(external_id="carl", overdraft_limit=Decimal(100), at=past)
        hold(carl, 50, at=past, lasting=timedelta(hours=1))

        assert api.patch("/api/v1/accounts/carl", {"overdraft_limit": 0}).status_code == 200

    def test_a_hold_whose_time_is_up_reads_so(self, api: Api) -> None:
        past = timezone.now() - timedelta(hours=2)
        held = hold(make_account(external_id="carl", balance=50, at=past), 50, at=past, lasting=timedelta(hours=1))

        assert api.get(f"/api/v1/holds/{held.id}").json()["status"] == "timed_out"

    def test_ten_thousand_movements_of_one_moment_can_be_paged(self, api: Api, alice: Account) -> None:
        items = [{"type": "topup", "account": "alice@example.com", "amount": 1}] * 2_600
        api.post("/api/v1/batches", {"items": items})

        seen, path = [], "/api/v1/transactions?account=alice@example.com&limit=500"
        while path:
            page = api.get(path).json()
            seen += [row["sequence"] for row in page["results"]]
            path = (page["next"] or "").removeprefix("http://testserver")

        assert seen == list(range(2_601, 0, -1))

    def test_an_item_answers_like_the_request_alone(self, api: Api, alice: Account) -> None:
        make_account(external_id="eve", unit="USD", balance=5)
        cases: list[tuple[str, str, dict[str, Any]]] = [
            ("debit", "accounts/eve/debits", {"amount": 1}),
            ("debit", DEBITS.removeprefix("/api/v1/"), {"amount": 0}),
            ("debit", DEBITS.removeprefix("/api/v1/"), {"amount": -1e13}),
            ("debit", DEBITS.removeprefix("/api/v1/"), {"amount": 1, "reason": "whatever", "ttl_seconds": -5}),
            ("debit", "accounts/nobody/debits", {"amount": 1}),
        ]
        for kind, path, body in cases:
            alone = api.post(f"/api/v1/{path}", body)
            item = {"type": kind, "account": path.split("/")[1], **body}
            result = api.post("/api/v1/batches", {"items": [item]}).json()["results"][0]
            assert result["status"] == alone.status_code
            if alone.status_code >= 400:
                assert (result["problem"]["code"], result["problem"].get("errors")) == (
                    alone.json()["code"], alone.json().get("errors"),
                )  # fmt: skip
