"""Dialect E's subscriptions: what the Next.js app's server calls."""

from __future__ import annotations

from typing import Any

import pytest

from credits.models import Account, Scope
from credits.plan import Owner
from subscriptions import providers
from subscriptions.models import PlanVersion, Subscription
from subscriptions.services import subscriptions
from tests.conftest import Api
from tests.subscriptions.factories import WHO, make_plans

USER = "user_2abc"
FIELDS = [
    "id", "user_id", "tier", "status", "current_period_end", "stripe_subscription_id", "created_at", "updated_at",
]  # fmt: skip
NEVER_SEEN = (
    b'{"id":null,"user_id":"user_2abc","tier":"FREE","status":"ACTIVE","current_period_end":null,'
    b'"stripe_subscription_id":null,"created_at":null,"updated_at":null}'
)


@pytest.fixture(autouse=True)
def _plans(database: None) -> None:
    make_plans()


def now(api: Api, user: str = USER) -> tuple[str, str]:
    told = api.get(f"/api/subscriptions/{user}").json()
    assert list(told) == FIELDS
    return told["tier"], told["status"]


def go(api: Api, tier: object, **headers: str) -> Any:
    return api.post(f"/api/subscriptions/{USER}/upgrade", {"tier": tier}, **headers)


def test_a_user_never_seen_is_free_and_active(api: Api) -> None:
    assert api.get(f"/api/subscriptions/{USER}").content == NEVER_SEEN
    quotas = api.get(f"/api/subscriptions/{USER}/quotas").json()
    assert [(each["feature"], each["limit"], each["used"], each["remaining"]) for each in quotas] == [
        ("ml-analysis", 2, 0, 2)
    ]
    assert not Account.objects.exists()


def test_the_story_of_a_user(api: Api) -> None:
    upgraded = go(api, "PRO")
    told = upgraded.json()
    row = Subscription.objects.get()
    assert (upgraded.status_code, list(told)) == (200, FIELDS)
    assert (told["id"], told["user_id"], told["tier"], told["status"]) == (str(row.pk), USER, "PRO", "ACTIVE")
    assert told["stripe_subscription_id"] is None
    assert told["current_period_end"].endswith("Z")
    assert api.get(f"/api/subscriptions/{USER}").json() == told
    assert api.get(f"/api/credits/{USER}/balance").json() == {"user_id": USER, "balance": 1000}

    assert go(api, "PRO").json() == told
    premium = go(api, "PREMIUM").json()
    assert (premium["tier"], premium["id"]) == ("PREMIUM", told["id"])
    assert api.get(f"/api/credits/{USER}/balance").json()["balance"] == 10_000

    lower = go(api, "PRO").json()
    assert (lower["tier"], lower["status"]) == ("PREMIUM", "ACTIVE")
    waiting = Subscription.objects.filter(next_version__plan="PRO")
    assert waiting.exists()
    go(api, "PREMIUM")
    assert not waiting.exists()

    ending = api.post(f"/api/subscriptions/{USER}/cancel", {"at_period_end": True})
    assert (ending.status_code, ending.json()["status"], ending.json()["tier"]) == (200, "CANCELED", "PREMIUM")
    assert now(api) == ("PREMIUM", "CANCELED")
    assert go(api, "PREMIUM").json()["status"] == "ACTIVE"

    ended = api.post(f"/api/subscriptions/{USER}/cancel", {"at_period_end": False}).json()
    assert (ended["tier"], ended["status"], ended["id"]) == ("FREE", "CANCELED", told["id"])
    assert now(api) == ("FREE", "ACTIVE")
    assert api.get(f"/api/subscriptions/{USER}").json()["id"] is None


def test_to_free_is_to_cancel_with_the_period(api: Api) -> None:
    assert go(api, "FREE").content == NEVER_SEEN
    assert not Account.objects.exists()
    go(api, "PRO")

    assert (go(api, "FREE").json()["tier"], now(api)) == ("PRO", ("PRO", "CANCELED"))


def test_a_payment_that_failed_reads_past_due_and_a_pause_as_free(api: Api) -> None:
    go(api, "PRO")
    row = Subscription.objects.get()

    subscriptions.mark_past_due(subscription=row.pk, cause=WHO)
    assert now(api) == ("PRO", "PAST_DUE")
    subscriptions.mark_paid(subscription=row.pk, cause=WHO)
    subscriptions.pause(subscription=row.pk, cause=WHO)
    assert now(api) == ("FREE", "ACTIVE")
    assert go(api, "PRO").json()["status"] == "ACTIVE"
    assert now(api) == ("PRO", "ACTIVE")


def test_the_providers_name_for_it_is_told(api: Api) -> None:
    api.post("/api/v1/accounts", {"external_id": USER})
    account = Owner(USER, "credits").account
    subscriptions.subscribe(account=account, plan="PRO", cause=WHO, provider="stripe", provider_reference="sub_1")

    assert api.get(f"/api/subscriptions/{USER}").json()["stripe_subscription_id"] == "sub_1"


def test_quotas_of_the_tier(api: Api) -> None:
    go(api, "PRO")
    api.post(f"/api/v1/accounts/{USER}/debits", {"amount": 10, "feature": "ml-analysis"})

    quotas = api.get(f"/api/subscriptions/{USER}/quotas").json()

    assert [list(each) for each in quotas] == [
        ["feature", "period", "measure", "limit", "used", "remaining", "resets_at"]
    ]
    assert (quotas[0]["limit"], quotas[0]["used"], quotas[0]["remaining"]) == (5, 1, 4)


class Till:
    """A provider that wants money first."""

    name = "till"

    def checkout_url(self, *, owner: Owner, version: PlanVersion, trial: bool = False) -> str | None:
        return f"https://pay.example/{owner.external_id}/{version.plan_id}"


@pytest.fixture
def till() -> Any:
    providers.register(Till(), chosen=True)
    yield
    providers.register(providers.ManualProvider(), chosen=True)


def test_where_payment_is_due_the_answer_says_where(api: Api, till: None) -> None:
    answer = go(api, "PRO").json()

    assert (answer["tier"], answer["checkout_url"]) == ("FREE", "https://pay.example/user_2abc/PRO")
    assert not Subscription.objects.exists()
    assert "checkout_url" not in go(api, "FREE").json()


def test_a_repeated_call_is_answered_the_same(api: Api) -> None:
    first = go(api, "PRO", once="k-1")
    again = go(api, "PRO", once="k-1")
    assert (again.content, again.headers["Idempotency-Replayed"]) == (first.content, "true")
    ended = api.post(f"/api/subscriptions/{USER}/cancel", {"at_period_end": False}, once="k-2")
    assert api.post(f"/api/subscriptions/{USER}/cancel", {"at_period_end": False}, once="k-2").content == ended.content
    assert go(api, "PREMIUM", once="k-1").status_code == 422
    assert api.post("/api/subscriptions/user_new/upgrade", {"tier": "FREE"}, once="k-3").json()["tier"] == "FREE"
    assert api.post("/api/subscriptions/user_new/upgrade", {"tier": "FREE"}, once="k-3").json()["tier"] == "FREE"


@pytest.mark.parametrize("tier", ["GOLD", "", None, 5, "pro", "PRO\0"])
def test_an_unknown_tier_is_a_400(api: Api, tier: object) -> None:
    refused = go(api, tier)

    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["tier"])
    assert not Account.objects.exists()


def test_there_is_nothing_to_cancel_without_a_subscription(api: Api) -> None:
    assert api.post(f"/api/subscriptions/{USER}/cancel", {}).status_code == 404
    api.post(f"/api/credits/{USER}/add", {"amount": 5})
    refused = api.post(f"/api/subscriptions/{USER}/cancel", {})
    assert (refused.status_code, refused.json()["code"]) == (404, "subscription_not_found")
    assert api.post(f"/api/subscriptions/{USER}/cancel", {"at_period_ende": False}).status_code == 400


def test_a_key_is_needed_and_its_scope(api: Api) -> None:
    reader = Api(Scope.CREDITS_READ)
    assert api.client.get(f"/api/subscriptions/{USER}").status_code == 401
    assert reader.get(f"/api/subscriptions/{USER}").status_code == 200
    assert go(reader, "PRO").status_code == 403
    assert reader.post(f"/api/subscriptions/{USER}/cancel", {}).status_code == 403
    assert go(Api(Scope.SUBSCRIPTIONS_WRITE), "PRO").status_code == 200


@pytest.mark.parametrize("user", ["a/b", "a@b.c", "tenant-1", "x" * 255, "ü+ö"])
def test_any_id_will_do(api: Api, user: str) -> None:
    assert api.post(f"/api/subscriptions/{user}/upgrade", {"tier": "PRO"}).json()["user_id"] == user
    assert now(api, user) == ("PRO", "ACTIVE")


def test_an_id_that_ends_as_an_address_does_is_refused(api: Api) -> None:
    assert api.post("/api/subscriptions/a/cancel/upgrade", {"tier": "PRO"}).status_code == 400
