"""Use over the API: prices, charges, streams, quotas, previews, statistics."""

from __future__ import annotations

from typing import Any

import pytest

from credits.models import Account, Transaction
from tests.books import Books
from tests.conftest import Api
from tests.factories import make_account, price

ALICE = "/api/v1/accounts/alice@example.com"
ML = {"account": "alice@example.com", "feature": "ml-analysis"}
DAILY = {"feature": "ml-analysis", "period": "daily", "measure": "quantity"}


@pytest.fixture
def priced(alice: Account) -> Account:
    price("ml-analysis", amount=10)
    price("model:gpt-6", "tokens", input=3, output=15)
    return alice


class TestAPrice:
    def test_is_added_in_versions_and_listed(self, api: Api) -> None:
        first = api.post("/api/v1/prices", {"feature": "scan", "scheme": "fixed", "terms": {"amount": 2}})
        second = api.post("/api/v1/prices", {"feature": "scan", "scheme": "per_unit", "terms": {"per": 0.5}})

        assert (first.status_code, first.json()["version"], second.json()["version"]) == (201, 1, 2)
        listed = api.get("/api/v1/prices?feature=scan").json()["results"]
        assert [(row["version"], row["terms"]) for row in listed] == [(2, {"per": "0.5"}), (1, {"amount": "2"})]
        assert [row["code"] for row in api.get("/api/v1/features").json()["results"]] == ["ai-tokens", "scan"]

    @pytest.mark.parametrize(
        "body",
        [
            {"feature": "scan", "scheme": "fixed", "terms": {"amount": 0}},
            {"feature": "scan", "scheme": "fixed", "terms": {"amount": -5}},
            {"feature": "scan", "scheme": "fixed", "terms": {}},
            {"feature": "scan", "scheme": "fixed", "terms": {"amount": True}},
            {"feature": "scan", "scheme": "fixed", "terms": {"amount": 1, "per": 1}},
            {"feature": "scan", "scheme": "free", "terms": {"amount": 1}},
            {"feature": "scan", "model": "gpt-6", "scheme": "fixed", "terms": {"amount": 1}},
            {"scheme": "fixed", "terms": {"amount": 1}},
            {"feature": "Not A Code", "scheme": "fixed", "terms": {"amount": 1}},
            {"feature": "scan", "scheme": "fixed", "terms": {"amount": 1}, "unit": "pounds"},
            {"feature": "scan", "scheme": "fixed", "terms": {"amount": 1}, "effective_at": "2020-01-01T00:00:00Z"},
            {"feature": "scan", "scheme": "tiered", "terms": {"tiers": []}},
            {"feature": "scan", "scheme": "tiered", "terms": {"tiers": [{"up_to": 5, "per": 1}]}},
            {"feature": "scan", "scheme": "tiered", "terms": {"tiers": ["a"]}},
            {"model": "gpt-6", "scheme": "tokens", "terms": {"input": 1}},
            {"model": "gpt-6", "scheme": "tokens", "terms": {"input": 1, "output": 0}},
        ],
    )
    def test_that_makes_no_sense_is_a_400(self, api: Api, body: dict[str, Any]) -> None:
        answer = api.post("/api/v1/prices", body)

        assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
        assert [row["feature"] for row in api.get("/api/v1/prices").json()["results"]] == ["ai-tokens"]

    def test_needs_its_scope(self, database: None) -> None:
        reader = Api("credits:read", "credits:write")

        answer = reader.post("/api/v1/prices", {"feature": "scan", "scheme": "fixed", "terms": {"amount": 2}})

        assert answer.status_code == 403


class TestAUse:
    def test_is_priced_and_charged(self, api: Api, priced: Account) -> None:
        answer = api.post("/api/v1/usage", {**ML, "trace_id": "t-1"})

        body = answer.json()
        assert answer.status_code == 201
        assert (body["amount"], body["feature"], body["quantity"], body["reference_id"]) == (
            -10, "ml-analysis", 1, "t-1",
        )  # fmt: skip
        assert body["price_id"]
        assert api.post("/api/v1/usage", {**ML, "trace_id": "t-1"}).json()["id"] == body["id"]

    def test_of_a_model_is_charged_by_tokens(self, api: Api, priced: Account) -> None:
        body = {"account": "alice@example.com", "model": "gpt-6", "input_tokens": 1_000_000, "output_tokens": 200_000}

        answer = api.post("/api/v1/usage", body).json()

        assert (answer["amount"], answer["feature"], answer["quantity"]) == (-6, "gpt-6", 1)
        assert answer["usage"] == {"model": "gpt-6", "input_tokens": 1_000_000, "output_tokens": 200_000}

    @pytest.mark.parametrize(
        ("more", "status", "code"),
        [
            ({"feature": "time-travel"}, 422, "price_not_found"),
            ({"quantity": 0}, 400, "invalid"),
            ({"quantity": -1}, 400, "invalid"),
            ({"quantity": "NaN"}, 400, "invalid"),
            ({"quantity": True}, 400, "invalid"),
            ({"quantity": 1e-13}, 400, "invalid"),
            ({"input_tokens": 1.5}, 400, "invalid"),
            ({"feature": ""}, 400, "invalid"),
            ({"feature": "a\0b"}, 400, "invalid"),
            ({"account": "nobody"}, 404, "account_not_found"),
            ({"trace_id": "t", "reference_id": "r"}, 400, "invalid"),
        ],
    )
    def test_that_makes_no_sense_is_refused(
        self, api: Api, priced: Account, books: Books, more: dict[str, Any], status: int, code: str
    ) -> None:
        before = books()

        answer = api.post("/api/v1/usage", {**ML, **more})

        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert books() == before

    def test_comes_in_batches(self, api: Api, priced: Account) -> None:
        items = [ML, {**ML, "quantity": 0}, {**ML, "feature": "time-travel"}, ML, {"type": "debit", **ML, "amount": 1}]

        answer = api.post("/api/v1/usage/batch", {"items": items})

        statuses = [result["status"] for result in answer.json()["results"]]
        assert (answer.status_code, statuses) == (200, [201, 400, 422, 201, 201])

    def test_is_quarantined_in_batches_too(self, api: Api, priced: Account, settings: Any) -> None:
        settings.UNPRICED_USAGE = "quarantine"

        again = {**ML, "feature": "time-travel", "trace_id": "t-1"}
        answer = api.post("/api/v1/usage/batch", {"items": [again, again]})

        movement = Transaction.objects.get(pk=answer.json()["results"][0]["transaction"]["id"])
        assert (movement.amount, movement.price, movement.unpriced.status) == (-1, None, "open")


class TestAStream:
    def test_holds_the_worst_case_and_captures_the_real_use(self, api: Api, priced: Account) -> None:
        worst = {
            "account": "alice@example.com",
            "model": "gpt-6",
            "input_tokens": 1_000_000,
            "output_tokens": 4_000_000,
        }
        held = api.post("/api/v1/usage/holds", worst).json()
        api.post(f"/api/v1/holds/{held['id']}/extend", {"ttl_seconds": 3600})
        done = api.post(
            f"/api/v1/holds/{held['id']}/capture",
            {"input_tokens": 1_000_000, "output_tokens": 200_000, "final": True},
        ).json()

        assert (held["amount"], held["abandonment_charge"]) == (63, 63)
        assert (done["transaction"]["amount"], done["hold"]["status"]) == (-6, "captured")
        assert done["transaction"]["price_id"] == held["price_id"]
        assert api.get(f"{ALICE}/balance").json()["available"] == 94

    def test_beyond_the_worst_case_is_a_422(self, api: Api, priced: Account) -> None:
        held = api.post("/api/v1/usage/holds", {**ML, "quantity": 1}).json()

        answer = api.post(f"/api/v1/holds/{held['id']}/capture", {"amount": 11})

        assert (answer.status_code, answer.json()["code"]) == (422, "capture_exceeds_hold")

    def test_says_an_amount_or_a_use(self, api: Api, priced: Account) -> None:
        held = api.post("/api/v1/usage/holds", ML).json()

        answer = api.post(f"/api/v1/holds/{held['id']}/capture", {"amount": 1, "quantity": 1})

        assert answer.status_code == 400


class TestACheck:
    def test_tells_what_a_use_would_do_and_writes_nothing(self, api: Api, priced: Account, books: Books) -> None:
        api.post(f"{ALICE}/quotas", {**DAILY, "limit": 3}, method="PUT")
        before = books()

        told = api.post(f"{ALICE}/check", {"feature": "ml-analysis"}).json()

        assert (told["allowed"], told["amount"], told["balance_after"], told["price"]["version"]) == (True, 10, 90, 1)
        assert [draw["amount"] for draw in told["draws"]] == [-10]
        assert [(quota["used"], quota["remaining"]) for quota in told["quotas"]] == [(1, 2)]
        assert books() == before

    def test_tells_why_not(self, api: Api, priced: Account) -> None:
        told = api.post(f"{ALICE}/check", {"amount": 500}).json()

        assert (told["allowed"], told["problem"]["code"], told["balance_after"]) == (False, "insufficient_credits", 100)

    def test_tells_which_quota_bites(self, api: Api, priced: Account) -> None:
        api.post(f"{ALICE}/quotas", {**DAILY, "limit": 0}, method="PUT")

        told = api.post(f"{ALICE}/check", {"feature": "ml-analysis"}).json()

        assert (told["allowed"], told["amount"]) == (False, 10)
        assert (told["problem"]["code"], told["problem"]["limit"]) == ("quota_exceeded", 0)

    @pytest.mark.parametrize("body", [{}, {"amount": 0}, {"amount": 1, "quantity": 2}, {"feature": "x", "quantity": 0}])
    def test_of_nothing_is_a_400(self, api: Api, priced: Account, body: dict[str, Any]) -> None:
        assert api.post(f"{ALICE}/check", body).status_code == 400


class TestAQuota:
    def test_refuses_with_429_and_says_when_it_resets(self, api: Api, priced: Account) -> None:
        set_to = api.post(f"{ALICE}/quotas", {**DAILY, "limit": 2}, method="PUT")
        answers = [api.post("/api/v1/usage", ML, once=f"k-{number}") for number in range(3)]

        refused = answers[-1]
        assert (set_to.status_code, set_to.json()["remaining"], set_to.json()["source"]) == (200, 2, "account")
        assert [answer.status_code for answer in answers] == [201, 201, 429]
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert 0 < int(refused.headers["Retry-After"]) <= 24 * 3600
        assert {"code", "limit", "used", "resets_at", "period", "feature"} <= refused.json().keys()
        # A 429 is not kept: the same key may succeed once the window has begun anew.
        api.post(f"{ALICE}/quotas/reset", DAILY)
        assert api.post("/api/v1/usage", ML, once="k-2").status_code == 201

    def test_that_is_soft_warns(self, api: Api, priced: Account) -> None:
        api.post(f"{ALICE}/quotas", {**DAILY, "limit": 0, "hard": False}, method="PUT")

        answer = api.post("/api/v1/usage", ML)

        assert (answer.status_code, answer.json()["warnings"][0]["code"]) == (201, "quota_exceeded")

    def test_is_overridden_for_a_time(self, api: Api, priced: Account) -> None:
        api.post(f"{ALICE}/quotas", {**DAILY, "limit": 0}, method="PUT")
        body = {**DAILY, "limit": 5, "until": "2999-01-01T00:00:00Z", "reason": "Launch"}

        told = api.post(f"{ALICE}/quotas/override", body).json()
        passed = api.post("/api/v1/usage", ML).status_code
        ended = api.post(f"{ALICE}/quotas/override", {**DAILY, "limit": None}).json()

        assert (told["limit"], told["source"], passed, ended["limit"]) == (5, "override", 201, 0)

    @pytest.mark.parametrize(
        "body",
        [
            {"period": "hourly", "limit": 1},
            {"period": "daily", "limit": -1},
            {"period": "daily", "limit": "NaN"},
            {"period": "daily"},
            {"period": "daily", "limit": 1, "measure": "apples"},
            {"period": "daily", "limit": 1, "limits": 2},
        ],
    )
    def test_that_makes_no_sense_is_a_400(self, api: Api, priced: Account, body: dict[str, Any]) -> None:
        assert api.post(f"{ALICE}/quotas", body, method="PUT").status_code == 400

    def test_is_listed_as_it_stands(self, api: Api, priced: Account) -> None:
        api.post(f"{ALICE}/quotas", {**DAILY, "limit": 5}, method="PUT")
        api.post("/api/v1/usage", ML)
        api.post("/api/v1/usage/holds", ML)

        quotas = api.get(f"{ALICE}/quotas").json()["quotas"]

        assert [(quota["used"], quota["reserved"], quota["remaining"]) for quota in quotas] == [(1, 1, 3)]
        assert api.get(f"{ALICE}/quotas/history").json()["results"] == []

    def test_is_hard_to_find_where_there_is_none(self, api: Api, priced: Account) -> None:
        assert api.post(f"{ALICE}/quotas/reset", DAILY).status_code == 404
        assert api.get("/api/v1/accounts/nobody/quotas").status_code == 404


class TestStatistics:
    def test_tell_every_day_with_zeros(self, api: Api, priced: Account) -> None:
        api.post("/api/v1/usage", ML)
        api.post("/api/v1/usage", ML)

        told = api.get(f"{ALICE}/stats").json()

        assert (len(told["data"]), told["period"]) == (30, "daily")
        assert told["data"][0] | {"date": ""} == {
            "date": "", "consumed": 0, "refunded": 0, "added": 0, "expired": 0, "other": 0, "uses": 0, "movements": 0,
            "balance_end": 0,
        }  # fmt: skip
        last = told["data"][-1]
        assert (last["consumed"], last["added"], last["uses"], last["balance_end"]) == (20, 100, 2, 80)
        assert told["total"]["consumed"] == 20

    @pytest.mark.parametrize(("period", "count"), [("weekly", 12), ("monthly", 12)])
    def test_tell_weeks_and_months(self, api: Api, priced: Account, period: str, count: int) -> None:
        told = api.get(f"{ALICE}/stats?period={period}").json()

        assert (len(told["data"]), told["data"][-1]["balance_end"]) == (count, 100)

    def test_tell_one_feature(self, api: Api, priced: Account) -> None:
        api.post("/api/v1/usage", ML)
        api.post(f"{ALICE}/debits", {"amount": 5})

        told = api.get(f"{ALICE}/stats?feature=ml-analysis").json()
        usage = api.get(f"{ALICE}/usage").json()

        assert (told["total"]["consumed"], "balance_end" in told["data"][0]) == (10, False)
        assert [(row["feature"], row["consumed"]) for row in usage["features"]] == [("ml-analysis", 10), ("", 5)]

    @pytest.mark.parametrize(
        "query", ["period=hourly", "from=yesterday", "from=0001-01-01", "from=1980-01-01", "to=2026-13-01"]
    )
    def test_that_make_no_sense_are_a_400(self, api: Api, priced: Account, query: str) -> None:
        assert api.get(f"{ALICE}/stats?{query}").status_code == 400

    def test_of_nobody_are_a_404(self, api: Api) -> None:
        make_account(external_id="somebody")

        assert api.get("/api/v1/accounts/nobody/stats").status_code == 404
