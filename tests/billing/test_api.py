"""Buying over the API: packs, pages, the portal, payments; and plans that are paid for first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from billing.models import Checkout, ProviderEvent
from credits.models import Account
from subscriptions import providers
from subscriptions.models import Subscription
from tests.billing.till import Till, standing
from tests.conftest import Api
from tests.fakes.stripe import Fault

BACK = {"success_url": "https://app.example/paid", "cancel_url": "https://app.example/shop"}


@pytest.fixture
def api(committed: None) -> Api:
    """A caller of Florin's API; next door the name is that of Stripe's."""
    return Api()


@pytest.fixture
def chosen() -> Iterator[None]:
    """Stripe collects for new subscriptions."""
    providers.choose("stripe")
    yield
    providers.choose("manual")


def buy(api: Api, **asked: Any) -> Any:
    once = asked.pop("once", "k")
    return api.post("/api/v1/checkout", {"account": "bob", **BACK, **asked}, once=once)


class TestAPack:
    def test_is_listed_bought_and_told_of(self, till: Till, bob: Account, api: Api) -> None:
        assert [each["code"] for each in api.get("/api/v1/packs").json()["results"]] == ["small", "large"]

        page = buy(api, pack="small")
        assert page.status_code == 201
        assert page.json()["url"].startswith(till.fake.url)
        till.fake.customer_pays(Checkout.objects.get().provider_id)
        till.deliver()

        paid = api.get("/api/v1/payments?account=bob").json()["results"]
        assert [(each["status"], each["credits"], each["pack"]) for each in paid] == [("succeeded", 100, "small")]
        assert api.get("/api/v1/payments?account=alice").json()["results"] == []
        assert standing(bob)[0] == 100

    def test_has_one_page_for_a_key(self, till: Till, bob: Account, api: Api) -> None:
        first, again = buy(api, pack="small"), buy(api, pack="small")

        assert again.content == first.content
        assert again["Idempotency-Replayed"] == "true"
        assert Checkout.objects.count() == len(till.fake.store.all("cs")) == 1
        assert buy(api, pack="large").status_code == 422

    def test_that_was_cut_off_at_the_provider_s_is_found_again(self, till: Till, bob: Account, api: Api) -> None:
        buy(api, pack="small")
        Checkout.objects.update(url="", provider_id="")

        assert buy(api, pack="small", once="k").status_code == 201

        assert len(till.fake.store.all("cs")) == 1

    @pytest.mark.parametrize(
        ("asked", "status"),
        [
            ({"pack": "huge"}, 404),
            ({"pack": "small", "account": "nobody"}, 404),
            ({}, 400),
            ({"pack": "small", "plan": "PRO"}, 400),
            ({"pack": "small", "success_url": "javascript:alert(1)"}, 400),
            ({"plan": "FREE"}, 409),
        ],
    )
    def test_or_not(self, till: Till, bob: Account, api: Api, asked: dict[str, Any], status: int) -> None:
        assert buy(api, **asked).status_code == status

    def test_needs_its_scope(self, till: Till, bob: Account) -> None:
        assert buy(Api("credits:write", name="weak"), pack="small").status_code == 403

    def test_is_a_502_without_the_provider(self, till: Till, bob: Account, api: Api) -> None:
        till.fake.api.faults.extend([Fault(), Fault(), Fault()])

        assert buy(api, pack="small").status_code == 502


class TestThePortal:
    def test_is_for_who_has_bought(self, till: Till, bob: Account, api: Api) -> None:
        asked = {"account": "bob", "return_url": "https://app.example/"}
        assert api.post("/api/v1/portal", asked).status_code == 404
        till.buy(bob)

        assert api.post("/api/v1/portal", asked).json()["url"].startswith(till.fake.url)


@pytest.mark.usefixtures("chosen")
class TestAPlan:
    def test_is_paid_for_first(self, till: Till, bob: Account, api: Api) -> None:
        due = api.post("/api/v1/subscriptions", {"account": "bob", "plan": "PRO"})
        assert (due.status_code, due.json()["code"]) == (402, "payment_due")
        assert not Subscription.objects.exists()

        till.fake.customer_pays(Checkout.objects.get().provider_id)
        assert due.json()["checkout_url"]
        till.deliver()

        assert Subscription.objects.get().status == "active"

    def test_is_upgraded_cancelled_and_resumed_at_the_provider_s(self, till: Till, bob: Account, api: Api) -> None:
        reference = till.subscribe(bob)
        till.deliver()
        row = Subscription.objects.get()
        at = f"/api/v1/subscriptions/{row.pk}"

        upgraded = api.post(f"{at}/upgrade", {"plan": "PREMIUM"}, once="up")
        again = api.post(f"{at}/upgrade", {"plan": "PREMIUM"}, once="up")
        assert (upgraded.status_code, upgraded.json()["plan"]) == (200, "PREMIUM")
        assert again.content == upgraded.content
        assert api.post(f"{at}/cancel", {}).json()["cancel_at_period_end"] is True
        assert till.fake.seen(reference)["cancel_at"] is not None
        assert api.post(f"{at}/resume", {}).json()["cancel_at_period_end"] is False
        assert api.post(f"{at}/downgrade", {"plan": "PRO"}).json()["next_plan"] == "PRO"
        before = standing(bob)
        till.deliver()

        assert standing(bob) == before
        assert till.unhappy() == []

    def test_whose_change_was_refused_stays_refused_for_that_key(self, till: Till, bob: Account, api: Api) -> None:
        reference = till.subscribe(bob)
        till.deliver()
        at = f"/api/v1/subscriptions/{Subscription.objects.get().pk}"
        till.fake.save_card(till.fake.seen(reference)["customer"], "pm_card_chargeCustomerFail")

        declined = api.post(f"{at}/upgrade", {"plan": "PREMIUM"}, once="up")
        till.fake.save_card(till.fake.seen(reference)["customer"])
        again = api.post(f"{at}/upgrade", {"plan": "PREMIUM"}, once="up")

        assert (declined.status_code, declined.json()["code"]) == (402, "card_declined")
        assert (again.status_code, again.content) == (402, declined.content)
        assert again["Idempotency-Replayed"] == "true"
        assert api.post(f"{at}/upgrade", {"plan": "PREMIUM"}, once="new").json()["plan"] == "PREMIUM"

    def test_is_not_sold_twice(self, till: Till, bob: Account, api: Api) -> None:
        asked = {"account": "bob", "plan": "PRO"}
        first, second = (api.post("/api/v1/subscriptions", asked).json()["checkout_url"] for _ in range(2))
        assert {each["status"] for each in till.fake.store.all("cs")} == {"open", "expired"}
        till.fake.customer_pays(second.rpartition("/")[2])
        assert api.post("/api/v1/subscriptions", asked).json()["code"] == "already_subscribed"
        till.deliver()

        assert first != second
        assert buy(api, plan="PREMIUM", once="other").json()["code"] == "already_subscribed"
        assert Checkout.objects.filter(status="expired").count() == 1
        assert Subscription.objects.count() == len(till.fake.store.all("sub")) == 1
        assert till.unhappy() == []

    def test_is_tried_before_it_is_paid_for_once(self, till: Till, bob: Account, api: Api) -> None:
        asked = {"account": "bob", "plan": "PRO", "trial": True}
        assert api.post("/api/v1/subscriptions", {**asked, "plan": "PREMIUM"}).json()["code"] == "trial_not_offered"
        page = api.post("/api/v1/subscriptions", asked).json()["checkout_url"]
        till.fake.customer_pays(page.rpartition("/")[2])
        till.deliver()
        row = Subscription.objects.get()
        assert row.status == "trialing"
        assert row.trial_ends_at is not None

        api.post(f"/api/v1/subscriptions/{row.pk}/cancel", {"at_period_end": False})
        till.deliver()

        assert api.post("/api/v1/subscriptions", asked).json()["code"] == "trial_used"

    def test_of_dialect_e_is_paid_for_first_and_then_kept_there(self, till: Till, api: Api) -> None:
        asked = api.post("/api/subscriptions/user_2abc/upgrade", {"tier": "PRO"})
        assert asked.json()["tier"] == "FREE"
        till.fake.customer_pays(asked.json()["checkout_url"].rpartition("/")[2])
        till.deliver()

        now = api.get("/api/subscriptions/user_2abc").json()
        assert (now["tier"], now["stripe_subscription_id"][:4]) == ("PRO", "sub_")
        assert api.post("/api/subscriptions/user_2abc/upgrade", {"tier": "PREMIUM"}).json()["tier"] == "PREMIUM"
        assert api.post("/api/subscriptions/user_2abc/cancel", {}).json()["status"] == "CANCELED"
        assert ProviderEvent.objects.exclude(state__in=["done", "ignored"]).count() == 0
