from __future__ import annotations

from typing import Any

import pytest

from credits.models import Account, IdempotencyRecord, Transaction
from tests.conftest import Api
from tests.factories import give

DEBITS = "/api/v1/accounts/alice@example.com/debits"


class TestTheSameKey:
    def test_with_the_same_body_gets_the_same_answer(self, api: Api, alice: Account) -> None:
        first = api.post(DEBITS, {"amount": 5}, once="k")
        again = api.post(DEBITS, {"amount": 5}, once="k")

        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert "Idempotency-Replayed" not in first.headers
        assert again.headers["Idempotency-Replayed"] == "true"
        assert Transaction.objects.filter(kind="usage").count() == 1

    @pytest.mark.parametrize("body", [b'{"amount":5.0,"feature":"x"}', b'{ "feature": "x", "amount": 5 }'])
    def test_takes_a_body_that_says_the_same(self, api: Api, alice: Account, body: bytes) -> None:
        api.post(DEBITS, b'{"amount":5,"feature":"x"}', once="k")

        assert api.post(DEBITS, body, once="k").headers["Idempotency-Replayed"] == "true"

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            (DEBITS, {"amount": 6}),
            (DEBITS, {"amount": 5, "feature": "x"}),
            (DEBITS + "?unit=credits", {"amount": 5}),
            (DEBITS.replace("debits", "topups"), {"amount": 5}),
            ("/api/v1/accounts/bob/debits", {"amount": 5}),
        ],
    )
    def test_with_another_request_is_a_422(
        self, api: Api, alice: Account, bob: Account, path: str, body: dict[str, Any]
    ) -> None:
        give(bob, 10)
        api.post(DEBITS, {"amount": 5}, once="k")

        refused = api.post(path, body, once="k")

        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
        assert Transaction.objects.filter(kind="usage").count() == 1

    def test_keeps_a_402_a_402(self, api: Api, alice: Account) -> None:
        refused = api.post(DEBITS, {"amount": 500}, once="k")
        give(alice, 1000)

        again = api.post(DEBITS, {"amount": 500}, once="k")

        assert (again.status_code, again.content) == (402, refused.content)
        assert again.headers["Content-Type"] == "application/problem+json"
        assert api.post(DEBITS, {"amount": 500}, once="k2").status_code == 201

    def test_after_a_400_or_404_is_free_to_be_used(self, api: Api, alice: Account) -> None:
        assert api.post(DEBITS, {"amount": 0}, once="k").status_code == 400
        assert api.post("/api/v1/accounts/nobody/debits", {"amount": 5}, once="k").status_code == 404

        assert api.post(DEBITS, {"amount": 5}, once="k").status_code == 201

    def test_of_another_owner_is_another_key(self, api: Api, alice: Account) -> None:
        api.post(DEBITS, {"amount": 5}, once="k")

        assert "Idempotency-Replayed" not in Api(name="other").post(DEBITS, {"amount": 5}, once="k").headers

    def test_of_the_same_owner_holds_over_a_change_of_keys(self, api: Api, alice: Account) -> None:
        first = api.post(DEBITS, {"amount": 5}, once="k")

        assert Api(name="web-prod").post(DEBITS, {"amount": 5}, once="k").content == first.content

    def test_is_answered_even_when_the_credits_are_gone(self, api: Api, alice: Account) -> None:
        first = api.post(DEBITS, {"amount": 100}, once="k")

        assert api.post(DEBITS, {"amount": 100}, once="k").content == first.content


class TestEveryPost:
    def test_honours_a_key(self, api: Api, alice: Account, bob: Account) -> None:
        """Each write is sent twice: the second answer is the first one's, and the books know only one."""
        spent = api.post(DEBITS, {"amount": 5}).json()["id"]
        other = api.post(DEBITS, {"amount": 5}).json()["id"]
        holds = [api.post(DEBITS.replace("debits", "holds"), {"amount": 5}).json()["id"] for _ in range(3)]
        root = "/api/v1/accounts/alice@example.com"
        writes: list[tuple[str, dict[str, Any]]] = [
            ("/api/v1/accounts", {"external_id": "carl", "initial_balance": 5}),
            (f"{root}/debits", {"amount": 1}),
            (f"{root}/topups", {"amount": 1}),
            (f"{root}/adjustments", {"amount": 1, "reason": "goodwill"}),
            (f"{root}/holds", {"amount": 1}),
            (f"/api/v1/holds/{holds[0]}/capture", {"amount": 1}),
            (f"/api/v1/holds/{holds[1]}/extend", {"ttl_seconds": 90_000}),
            (f"/api/v1/holds/{holds[2]}/release", {}),
            (f"/api/v1/transactions/{spent}/refund", {"amount": 1}),
            (f"/api/v1/transactions/{other}/reverse", {}),
            ("/api/v1/transfers", {"source": "alice@example.com", "target": "bob", "amount": 1}),
            ("/api/v1/batches", {"items": [{"type": "debit", "account": "alice@example.com", "amount": 1}]}),
            (f"{root}/freeze", {"reason": "x"}),
            (f"{root}/unfreeze", {}),
            ("/api/v1/accounts/bob/close", {"forfeit": True}),
        ]
        for number, (path, body) in enumerate(writes):
            first = api.post(path, body, once=f"k{number}")
            count = Transaction.objects.count()
            again = api.post(path, body, once=f"k{number}")

            assert first.status_code in {200, 201}, (path, first.content)
            assert (again.status_code, again.content) == (first.status_code, first.content), path
            assert again.headers["Idempotency-Replayed"] == "true"
            assert Transaction.objects.count() == count
        assert IdempotencyRecord.objects.count() == len(writes)
