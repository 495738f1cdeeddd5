"""The native API of plans and subscriptions."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from credits.models import Account, Scope
from subscriptions.models import Plan, Subscription
from subscriptions.services.plans import change_plan
from tests.books import Books
from tests.conftest import Api
from tests.factories import make_account
from tests.subscriptions.factories import make_plan


@pytest.fixture(autouse=True)
def _plans(plans: None) -> None:
    """Every test here has the plans."""


def subscribed(api: Api, account: Account, plan: str = "PRO", **more: Any) -> dict[str, Any]:
    answer = api.post("/api/v1/subscriptions", {"account": account.external_id, "plan": plan, **more})
    assert answer.status_code == 201, answer.content
    told: dict[str, Any] = answer.json()
    return told


class TestPlans:
    def test_are_listed_by_rank(self, api: Api) -> None:
        make_plan("OLD", 30)
        change_plan(code="OLD", active=False)
        make_plan("TEAM", 15, monthly_credits=3000)

        told = api.get("/api/v1/plans").json()["results"]

        assert [each["code"] for each in told] == ["FREE", "PRO", "TEAM", "PREMIUM"]
        assert told[1]["limits"] == [
            {"feature": "ml-analysis", "period": "daily", "measure": "quantity", "limit": 5, "hard": True}
        ]
        assert (told[1]["price_minor"], told[1]["monthly_credits"], told[3]["rollover_cap"]) == (2900, 1000, 5000)
        first = api.get("/api/v1/plans?limit=1").json()
        assert api.get(first["next"]).json()["results"][0]["code"] == "PRO"

    def test_can_be_looked_at(self, api: Api) -> None:
        assert api.get("/api/v1/plans/PRO").json()["trial_days"] == 14
        assert (api.get("/api/v1/plans/GOLD").status_code, api.get("/api/v1/plans/%00").status_code) == (404, 404)


class TestSubscribing:
    def test_puts_an_account_on_a_plan(self, api: Api, bob: Account) -> None:
        told = subscribed(api, bob)

        assert (told["plan"], told["plan_version"], told["status"], told["account"]) == ("PRO", 1, "active", "bob")
        assert api.get(f"/api/v1/subscriptions/{told['id']}").json() == told
        assert api.get("/api/v1/accounts/bob/balance").json()["balance"] == 1000
        assert api.get("/api/v1/subscriptions?account=bob&status=active&plan=PRO").json()["results"] == [told]
        assert api.get("/api/v1/subscriptions?account=eve").json()["results"] == []

    def test_many_are_listed_as_fast_as_one(self, api: Api, bob: Account) -> None:
        subscribed(api, bob)
        counts = []
        for number in range(2):
            with CaptureQueriesContext(connection) as queries:
                assert len(api.get("/api/v1/subscriptions").json()["results"]) == 1 + 4 * number
            # Now and then the key is looked up too, by the clock.
            counts.append(sum("subscriptions_" in query["sql"] for query in queries))
            for other in range(4):
                subscribed(api, make_account(external_id=f"other-{number}-{other}"))

        assert 0 < counts[0] == counts[1]

    def test_with_a_trial(self, api: Api, bob: Account) -> None:
        told = subscribed(api, bob, trial=True)

        assert (told["status"], told["trial_ends_at"]) == ("trialing", told["current_period_end"])

    def test_twice_is_a_409(self, api: Api, bob: Account) -> None:
        first = subscribed(api, bob)

        refused = api.post("/api/v1/subscriptions", {"account": "bob", "plan": "PREMIUM"})

        assert (refused.status_code, refused.json()["code"]) == (409, "already_subscribed")
        assert refused.json()["subscription_id"] == first["id"]

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({"account": "nobody", "plan": "PRO"}, 404, "account_not_found"),
            ({"account": "bob", "plan": "GOLD"}, 404, "plan_not_found"),
            ({"account": "bob", "plan": "FREE"}, 400, "invalid"),
            ({"account": "bob", "plan": "OLD"}, 409, "plan_not_offered"),
            ({"account": "bob", "plan": "PREMIUM", "trial": True}, 409, "trial_not_offered"),
            ({"account": "bob"}, 400, "invalid"),
            ({"account": "bob", "plan": None}, 400, "invalid"),
            ({"plan": "PRO"}, 400, "invalid"),
        ],
    )
    def test_that_cannot_be_is_refused(
        self, api: Api, bob: Account, books: Books, body: dict, status: int, code: str
    ) -> None:
        make_plan("OLD", 30)
        change_plan(code="OLD", active=False)
        before = books()

        refused = api.post("/api/v1/subscriptions", body)

        assert (refused.status_code, refused.json()["code"]) == (status, code)
        assert books() == before
        assert not Subscription.objects.exists()

    def test_a_closed_account_is_refused(self, api: Api, bob: Account) -> None:
        api.post("/api/v1/accounts/bob/close", {})

        refused = api.post("/api/v1/subscriptions", {"account": "bob", "plan": "PRO"})

        assert (refused.status_code, refused.json()["code"]) == (409, "account_closed")


class TestChanging:
    def test_a_subscription(self, api: Api, bob: Account) -> None:
        address = f"/api/v1/subscriptions/{subscribed(api, bob)['id']}"

        assert api.post(f"{address}/upgrade", {"plan": "PREMIUM"}).json()["plan"] == "PREMIUM"
        lower = api.post(f"{address}/downgrade", {"plan": "PRO", "reason": "Too dear"}).json()
        assert (lower["plan"], lower["next_plan"], lower["next_plan_version"]) == ("PREMIUM", "PRO", 1)
        assert api.post(f"{address}/resume", {}).json()["next_plan"] is None
        assert api.post(f"{address}/cancel", {}).json()["cancel_at_period_end"] is True
        assert api.post(f"{address}/resume", {}).json()["cancel_at_period_end"] is False
        assert api.post(f"{address}/pause", {}).json()["status"] == "paused"
        assert api.post(f"{address}/upgrade", {"plan": "PREMIUM"}).json()["code"] == "not_in_this_state"
        assert api.post(f"{address}/resume", {}).json()["status"] == "active"
        assert api.post(f"{address}/downgrade", {"plan": "PRO", "at_period_end": False}).json()["plan"] == "PRO"
        assert api.post(f"{address}/cancel", {"at_period_end": False}).json()["status"] == "canceled"

        history = api.get(f"{address}/history").json()["results"]
        assert [each["verb"] for each in history] == [
            "cancel", "downgrade", "resume", "pause", "resume", "cancel", "resume", "schedule", "upgrade", "subscribe",
        ]  # fmt: skip
        assert (history[7]["reason"], history[7]["actor"]["name"]) == ("Too dear", "web-prod")
        assert (history[8]["from_plan"], history[8]["to_plan"]) == ("PRO", "PREMIUM")
        assert history[-1]["from_status"] is None

    def test_is_done_once_for_a_key(self, api: Api, bob: Account) -> None:
        address = f"/api/v1/subscriptions/{subscribed(api, bob)['id']}"

        first = api.post(f"{address}/upgrade", {"plan": "PREMIUM"}, once="k")
        again = api.post(f"{address}/upgrade", {"plan": "PREMIUM"}, once="k")
        refused = [api.post(f"{address}/upgrade", {"plan": "PRO"}, once="n").content for _ in range(2)]

        assert (again.content, again.headers["Idempotency-Replayed"]) == (first.content, "true")
        assert refused[0] == refused[1]
        assert b"not_an_upgrade" in refused[0]

    def test_a_misspelt_name_is_a_400(self, api: Api, bob: Account) -> None:
        address = f"/api/v1/subscriptions/{subscribed(api, bob)['id']}"

        for verb in ("cancel", "downgrade", "preview"):
            refused = api.post(f"{address}/{verb}", {"plan": "FREE", "verb": "cancel", "at_period_ned": False})
            assert refused.status_code == 400, verb

    @pytest.mark.parametrize("pk", ["019a9f10-5c00-7000-8000-000000000201", "-" * 36])
    def test_one_that_is_none_is_a_404(self, api: Api, pk: str) -> None:
        assert api.get(f"/api/v1/subscriptions/{pk}").status_code == 404
        for verb in ("upgrade", "downgrade", "cancel", "resume", "pause"):
            assert api.post(f"/api/v1/subscriptions/{pk}/{verb}", {"plan": "PRO"}).status_code in {400, 404}

    def test_needs_its_scope(self, api: Api, bob: Account) -> None:
        row = subscribed(api, bob)
        others = Api(*(scope for scope in Scope.values if scope != Scope.SUBSCRIPTIONS_WRITE))
        address = f"/api/v1/subscriptions/{row['id']}"

        assert others.post("/api/v1/subscriptions", {"account": "bob", "plan": "PRO"}).status_code == 403
        for verb in ("upgrade", "downgrade", "cancel", "resume", "pause"):
            assert others.post(f"{address}/{verb}", {"plan": "PRO"}).status_code == 403
        assert others.post(f"{address}/preview", {"verb": "cancel"}).status_code == 200
        assert api.client.get(address).status_code == 401


class TestAPreview:
    def test_tells_what_the_change_then_does_and_writes_nothing(self, api: Api, bob: Account, books: Books) -> None:
        address = f"/api/v1/subscriptions/{subscribed(api, bob)['id']}"
        before = books()

        told = api.post(f"{address}/preview", {"verb": "upgrade", "plan": "PREMIUM"}).json()

        assert books() == before
        assert (told["credits_now"], told["price_difference_minor"]) == (9000, 7000)
        assert (told["before"]["limits"][0]["limit"], told["after"]["limits"][0]["limit"]) == (5, 50)
        api.post(f"{address}/upgrade", {"plan": "PREMIUM"})
        assert api.get("/api/v1/accounts/bob/balance").json()["balance"] == 1000 + told["credits_now"]

    def test_of_a_downgrade_and_a_cancellation(self, api: Api, bob: Account) -> None:
        row = subscribed(api, bob, "PREMIUM")
        address = f"/api/v1/subscriptions/{row['id']}"

        lower = api.post(f"{address}/preview", {"verb": "downgrade", "plan": "PRO"}).json()
        end = api.post(f"{address}/preview", {"verb": "cancel", "at_period_end": True}).json()
        now = api.post(f"{address}/preview", {"verb": "cancel", "at_period_end": False}).json()

        assert (lower["effective_at"], lower["credits_now"], lower["price_difference_minor"]) == (
            row["current_period_end"], 0, -7000,
        )  # fmt: skip
        assert (end["effective_at"], end["after"]["code"]) == (row["current_period_end"], "FREE")
        assert (now["effective_at"] < row["current_period_end"], now["after"]["code"]) == (True, "FREE")
        assert api.get(address).json() == row

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"verb": "upgrade"}, 400),
            ({"verb": "dance"}, 400),
            ({"verb": "upgrade", "plan": "GOLD"}, 404),
            ({"verb": "upgrade", "plan": "PRO"}, 409),
        ],
    )
    def test_of_what_cannot_be_is_refused_as_it_would_be(self, api: Api, bob: Account, body: dict, status: int) -> None:
        address = f"/api/v1/subscriptions/{subscribed(api, bob)['id']}"

        assert api.post(f"{address}/preview", body).status_code == status


class TestEntitlements:
    def test_without_a_subscription_are_those_of_the_default_plan(self, api: Api, bob: Account) -> None:
        told = api.get("/api/v1/accounts/bob/entitlements").json()

        assert (told["plan"], told["status"], told["subscription_id"]) == ("FREE", "active", None)
        enabled = {each["feature"]: each["enabled"] for each in told["features"]}
        assert (enabled["ml-analysis"], enabled["sandbox-run"]) == (True, False)
        assert (told["quotas"][0]["limit"], told["quotas"][0]["remaining"]) == (2, 2)

    def test_follow_the_plan_and_what_was_used(self, api: Api, bob: Account) -> None:
        row = subscribed(api, bob)
        api.post("/api/v1/accounts/bob/debits", {"amount": 10, "feature": "ml-analysis"})

        told = api.get("/api/v1/accounts/bob/entitlements").json()

        assert (told["plan"], told["subscription_id"], told["current_period_end"]) == (
            "PRO", row["id"], row["current_period_end"],
        )  # fmt: skip
        quota = told["quotas"][0]
        assert (quota["limit"], quota["used"], quota["remaining"], quota["source"]) == (5, 1, 4, "plan")

    def test_are_what_a_debit_is_judged_by(self, api: Api, bob: Account) -> None:
        api.post("/api/v1/accounts/bob/topups", {"amount": 100})
        debits = "/api/v1/accounts/bob/debits"

        assert api.post(debits, {"amount": 1, "feature": "sandbox-run"}).json()["code"] == "feature_not_enabled"
        answers = [api.post(debits, {"amount": 1, "feature": "ml-analysis"}).status_code for _ in range(3)]
        assert answers == [201, 201, 429]
        subscribed(api, bob)
        assert api.post(debits, {"amount": 1, "feature": "sandbox-run"}).status_code == 201
        answers = [api.post(debits, {"amount": 1, "feature": "ml-analysis"}).status_code for _ in range(4)]
        assert answers == [201, 201, 201, 429]

    def test_of_an_account_in_another_unit_have_no_plan(self, api: Api, database: None) -> None:
        make_account(external_id="firm", unit="USD", balance=5)

        told = api.get("/api/v1/accounts/firm/entitlements").json()

        assert (told["plan"], told["status"], told["quotas"]) == (None, "active", [])
        assert all(each["enabled"] for each in told["features"])
        refused = api.post("/api/v1/subscriptions", {"account": "firm", "plan": "PRO"})
        assert refused.status_code == 404

    def test_of_nobody_are_a_404(self, api: Api) -> None:
        assert api.get("/api/v1/accounts/nobody/entitlements").status_code == 404
        assert Plan.objects.count() == 3
