"""The native API as its callers use it."""

from __future__ import annotations

import csv
from io import StringIO
from typing import Any
from urllib.parse import quote

import pytest
from django.core.cache import cache

from credits.api import shapes
from credits.models import Account, Grant, Hold, Transaction
from credits.plan import Owner
from credits.services.history import movement_of, reservation_of
from tests.conftest import Api
from tests.factories import give, hold, make_account, spend

ALICE = "/api/v1/accounts/alice@example.com"


class TestAnAccount:
    @pytest.mark.parametrize(
        "external_id", ["tenant-123", "a.b+c@example.com", "o'neil", "a b", "ü/ñ", "a/debits/b", "%2F", "x" * 255]
    )
    def test_may_have_any_id(self, api: Api, external_id: str) -> None:
        opened = api.post("/api/v1/accounts", {"external_id": external_id, "initial_balance": 10})
        path = f"/api/v1/accounts/{quote(external_id, safe='')}"

        assert opened.status_code == 201
        assert api.get(path).json() == opened.json()
        assert api.post(f"{path}/debits", {"amount": 3}).json()["balance_after"] == 7
        assert api.get(f"{path}/balance").json()["account"] == external_id

    def test_is_found_in_its_only_unit_or_asks_which(self, api: Api) -> None:
        make_account(external_id="eve", unit="USD", balance=3)
        assert api.get("/api/v1/accounts/eve/balance").json()["unit"] == "USD"
        assert api.post("/api/v1/accounts/eve/debits", {"amount": 0.5}).json()["balance_after"] == 2.5

        make_account(external_id="eve", unit="credits", balance=7)
        assert api.get("/api/v1/accounts/eve/balance").json()["balance"] == 7
        assert api.get("/api/v1/accounts/eve/balance?unit=USD").json()["balance"] == 2.5

    def test_is_changed_frozen_and_closed(self, api: Api, bob: Account) -> None:
        changed = api.patch("/api/v1/accounts/bob", {"name": "Bob", "time_zone": "Europe/Vienna"})
        assert (changed.status_code, changed.json()["name"], changed.json()["time_zone"]) == (
            200,
            "Bob",
            "Europe/Vienna",
        )
        assert api.patch("/api/v1/accounts/bob", {"time_zone": "Mars/Olympus"}).status_code == 400

        assert api.post("/api/v1/accounts/bob/freeze", {"reason": "Fraud?"}).json()["status_reason"] == "Fraud?"
        assert api.post("/api/v1/accounts/bob/unfreeze").json()["status"] == "active"
        assert api.post("/api/v1/accounts/bob/close").json()["status"] == "closed"

    def test_forgives_a_trailing_slash(self, api: Api, alice: Account) -> None:
        assert api.get(f"{ALICE}/").status_code == 200
        assert api.post(f"{ALICE}/debits/", {"amount": 1}).status_code == 201

    def test_never_loses_its_id(self, api: Api, alice: Account) -> None:
        api.patch(ALICE, {"external_id": "mallory"})

        assert api.get(ALICE).json()["external_id"] == "alice@example.com"

    def test_list_is_filtered_and_paged(self, api: Api) -> None:
        for number in range(5):
            make_account(external_id=f"a{number}", unit="USD" if number == 4 else "credits")

        first = api.get("/api/v1/accounts?limit=3&unit=credits").json()
        rest = api.get(first["next"].replace("http://testserver", "")).json()

        assert [row["external_id"] for row in first["results"] + rest["results"]] == ["a3", "a2", "a1", "a0"]
        assert api.get("/api/v1/accounts?external_id=a4").json()["results"][0]["unit"] == "USD"


class TestReading:
    def test_a_past_balance(self, api: Api, alice: Account) -> None:
        spend(alice, 30)
        first, second = Transaction.objects.order_by("sequence").values_list("recorded_at", flat=True)

        for at, balance in [(first, 100), (second, 70)]:
            told = api.get(f"{ALICE}/balance?at={quote(at.isoformat())}").json()
            assert told == {
                "account": "alice@example.com",
                "unit": "credits",
                "balance": balance,
                "as_of": told["as_of"],
            }
        assert api.get(f"{ALICE}/balance?at=2020-01-01T00:00:00Z").json()["balance"] == 0

    def test_a_statement_in_pages(self, api: Api, alice: Account) -> None:
        for _ in range(4):
            spend(alice, 10)

        first = api.get(f"{ALICE}/statement?limit=3").json()
        rest = api.get(f"{ALICE}/statement?limit=3&after={first['next']}").json()

        assert (first["opening_balance"], first["closing_balance"], first["next"]) == (0, 80, 3)
        assert (rest["opening_balance"], rest["closing_balance"], rest["next"]) == (80, 60, None)
        assert [row["sequence"] for row in first["transactions"] + rest["transactions"]] == [1, 2, 3, 4, 5]

    def test_a_statement_of_a_period_without_movements(self, api: Api, alice: Account) -> None:
        told = api.get(f"{ALICE}/statement?from=2098-01-01T00:00:00Z&to=2099-01-01T00:00:00Z").json()

        assert (told["opening_balance"], told["closing_balance"], told["transactions"]) == (100, 100, [])
        beyond = api.get(f"{ALICE}/statement?after=1").json()
        assert (beyond["opening_balance"], beyond["closing_balance"]) == (100, 100)
        before = api.get(f"{ALICE}/statement?to=2020-01-01T00:00:00Z").json()
        assert (before["opening_balance"], before["closing_balance"]) == (0, 0)

    def test_a_statement_as_csv_that_no_spreadsheet_runs(self, api: Api, alice: Account) -> None:
        spend(alice, 10, description="=cmd()")

        answer = api.get(f"{ALICE}/statement?format=csv")
        rows = list(csv.DictReader(StringIO(b"".join(answer.streaming_content).decode())))

        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert [(row["amount"], row["balance_after"], row["description"]) for row in rows] == [
            ("100", "100", ""),
            ("-10", "90", "'=cmd()"),
        ]

    def test_a_statement_as_csv_tells_what_is_owed(self, api: Api, alice: Account) -> None:
        spend(alice, 100)
        body = {"amount": -50, "reason": "fraud", "allow_debt": True}
        assert api.post(f"{ALICE}/adjustments", body).status_code == 201
        give(alice, 60)

        answer = api.get(f"{ALICE}/statement?format=csv")
        rows = list(csv.DictReader(StringIO(b"".join(answer.streaming_content).decode())))

        assert [(row["amount"], row["debt"]) for row in rows] == [
            ("100", "0"), ("-100", "0"), ("0", "50"), ("60", "0"), ("-50", "-50"),
        ]  # fmt: skip

    def test_lots_and_holds(self, api: Api, alice: Account) -> None:
        give(alice, 5)
        spend(alice, 100)
        hold(alice, 2)

        assert [row["remaining"] for row in api.get(f"{ALICE}/grants").json()["results"]] == [5, 0]
        assert [row["remaining"] for row in api.get(f"{ALICE}/grants?open=true").json()["results"]] == [5]
        assert [row["amount"] for row in api.get(f"{ALICE}/holds").json()["results"]] == [2]

    def test_transactions_by_what_they_are(self, api: Api, alice: Account, bob: Account) -> None:
        spend(alice, 1, feature="ml", reference_type="trace", reference_id="t-1")
        spend(alice, 2)
        give(bob, 5)

        def amounts(query: str) -> list[float]:
            return [row["amount"] for row in api.get(f"/api/v1/transactions?{query}").json()["results"]]

        assert amounts("") == [5, -2, -1, 100]
        assert amounts("account=bob") == [5]
        assert amounts("kind=usage") == [-2, -1]
        assert amounts("kind=usage&kind=topup&account=alice@example.com") == [-2, -1, 100]
        assert amounts("feature=ml") == amounts("reference_id=t-1") == amounts("reference_type=trace") == [-1]
        assert amounts("recorded_from=2099-01-01T00:00:00Z") == []

    def test_one_transaction_and_one_hold(self, api: Api, alice: Account) -> None:
        spent = api.post(f"{ALICE}/debits", {"amount": 3}).json()
        held = api.post(f"{ALICE}/holds", {"amount": 3}).json()

        assert api.get(f"/api/v1/transactions/{spent['id']}").json() == spent
        assert api.get(f"/api/v1/holds/{held['id']}").json() == held


class TestMoving:
    def test_a_whole_story(self, api: Api, alice: Account, bob: Account) -> None:
        api.post(f"{ALICE}/topups", {"amount": 50, "category": "promotional", "expires_at": "2099-01-01T00:00:00Z"})
        held = api.post(f"{ALICE}/holds", {"amount": 60, "ttl_seconds": 60, "abandonment_charge": 5}).json()
        captured = api.post(f"/api/v1/holds/{held['id']}/capture", {"amount": 20, "final": True}).json()
        assert (captured["transaction"]["balance_after"], captured["hold"]["status"]) == (130, "captured")
        refunded = api.post(f"/api/v1/transactions/{captured['transaction']['id']}/refund", {"amount": 5}).json()
        assert (refunded["balance_after"], refunded["parent_id"]) == (135, captured["transaction"]["id"])
        moved = api.post("/api/v1/transfers", {"source": "alice@example.com", "target": "bob", "amount": 35}).json()
        assert (moved["source"]["balance_after"], moved["target"]["balance_after"]) == (100, 35)
        adjusted = api.post(f"{ALICE}/adjustments", {"amount": -1, "reason": "correction", "ticket": "T-1"}).json()
        assert (adjusted["reason"], adjusted["metadata"]) == ("correction", {"ticket": "T-1"})
        assert api.get(f"{ALICE}/balance").json()["available"] == 99

    def test_a_batch_answers_item_by_item(self, api: Api, alice: Account, bob: Account) -> None:
        answer = api.post(
            "/api/v1/batches",
            {
                "items": [
                    {"type": "debit", "account": "alice@example.com", "amount": 60},
                    {"type": "debit", "account": "alice@example.com", "amount": 60},
                    {"type": "transfer", "account": "alice@example.com", "target": "bob", "amount": 40},
                    {"type": "hold", "account": "bob", "amount": 5},
                    {"type": "debit", "account": "nobody", "amount": 1},
                    {"type": "debit", "account": "bob", "amount": 0},
                    {"type": "steal"},
                    "x",
                ]
            },
        )

        assert answer.status_code == 200
        assert [row["status"] for row in answer.json()["results"]] == [201, 402, 201, 201, 404, 400, 400, 400]
        assert (answer.json()["succeeded"], answer.json()["refused"]) == (3, 5)
        assert answer.json()["results"][5]["problem"]["errors"].keys() == {"amount"}

    def test_an_atomic_batch_names_the_item_that_failed(self, api: Api, alice: Account) -> None:
        items = [{"type": "debit", "account": "alice@example.com", "amount": amount} for amount in (60, 60)]

        answer = api.post("/api/v1/batches", {"items": items, "atomic": True})

        assert (answer.status_code, answer.json()["index"], answer.json()["problem"]["code"]) == (
            422, 1, "insufficient_credits",
        )  # fmt: skip
        assert api.get(f"{ALICE}/balance").json()["balance"] == 100

    def test_a_batch_needs_the_scopes_of_its_items(self, alice: Account) -> None:
        writer = Api("credits:write")
        item = {"type": "adjustment", "account": "alice@example.com", "amount": 1, "reason": "goodwill"}

        answer = writer.post("/api/v1/batches", {"items": [item]}).json()

        assert answer["results"][0]["problem"]["code"] == "missing_scope"


class TestEveryAnswer:
    def test_carries_a_request_id_that_the_movement_keeps(self, api: Api, alice: Account) -> None:
        answer = api.post(f"{ALICE}/debits", {"amount": 1}, **{"X-Request-ID": "req-7"})

        assert answer.headers["X-Request-ID"] == answer.json()["request_id"] == "req-7"
        insane = api.get("/health", **{"X-Request-ID": "a b"})
        assert insane.headers["X-Request-ID"] != "a b"

    def test_has_the_members_that_the_schema_names(self, alice: Account) -> None:
        spend(alice, 1)
        hold(alice, 1)
        owner = Owner(alice.external_id, alice.unit_id)

        for printed, described in [
            (shapes.print_movement(movement_of(Transaction.objects.all()[0], owner)), shapes.TransactionOut()),
            (shapes.print_hold(reservation_of(Hold.objects.get(), owner)), shapes.HoldOut()),
            (shapes.print_account(Account.objects.get()), shapes.AccountOut()),
            (shapes.print_grant(Grant.objects.get()), shapes.GrantOut()),
        ]:
            always = {name for name, field in described.fields.items() if field.required}
            assert printed.keys() == always


class TestARateLimit:
    def test_is_off_unless_set(self, api: Api, alice: Account) -> None:
        assert "RateLimit-Limit" not in api.get(f"{ALICE}/balance").headers

    def test_counts_and_then_refuses(self, api: Api, alice: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        api.row.rate_limit = 2
        api.row.save()
        # A minute of the test's own, so that none turns between two calls.
        monkeypatch.setattr("credits.api.limits.time.time", lambda: 1_000_000_020.0)
        cache.clear()

        answers = [api.get(f"{ALICE}/balance") for _ in range(3)]

        assert [each.status_code for each in answers] == [200, 200, 429]
        assert [each.headers["RateLimit-Remaining"] for each in answers] == ["1", "0", "0"]
        assert answers[2].json()["code"] == "throttled"
        assert 1 <= int(answers[2].headers["Retry-After"]) <= 61

    def test_passes_everyone_while_valkey_is_down(self, api: Api, alice: Account, settings: Any) -> None:
        api.row.rate_limit = 1
        api.row.save()
        settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}

        assert [api.get(f"{ALICE}/balance").status_code for _ in range(3)] == [200, 200, 200]
