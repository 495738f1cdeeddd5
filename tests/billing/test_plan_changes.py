"""Plans changed at the provider's: previewed, at once, with the next period, taken back; month by month."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from credits.models import Account, Transaction
from credits.services import clock
from subscriptions.models import Subscription
from subscriptions.queries import current_subscription
from tests.billing.till import Till
from tests.conftest import Api


@pytest.fixture
def api(committed: None) -> Api:
    """A caller of Florin's API; next door the name is that of Stripe's."""
    return Api()


@pytest.fixture
def later(till: Till, settings: Any) -> Callable[[float], None]:
    """Puts the clocks of both forward together, and brings what the provider has to tell."""
    settings.TEST_CLOCK = True

    def move(days: float) -> None:
        clock.move(timedelta(days=days))
        till.fake.advance(days)
        till.deliver()

    return move


class Kept:
    """A subscription that the provider keeps, and the calls about it."""

    def __init__(self, till: Till, api: Api, account: Account, plan: str) -> None:
        self.till, self.api, self.account = till, api, account
        self.reference = till.subscribe(account, plan)
        till.deliver()
        self.address = f"/api/v1/subscriptions/{Subscription.objects.get().pk}"

    def ask(self, verb: str, status: int = 200, /, **body: Any) -> Any:
        answer = self.api.post(f"{self.address}/{verb}", body)
        assert answer.status_code == status, answer.content
        return answer.json()

    def now(self) -> tuple[str, str, str | None, bool]:
        """Return plan, status, the plan that follows, and whether it ends."""
        told = self.api.get(self.address).json()
        return told["plan"], told["status"], told["next_plan"], told["cancel_at_period_end"]

    def credits(self) -> list[int]:
        rows = Transaction.objects.filter(account=self.account, kind="plan").order_by("sequence")
        return [int(each) for each in rows.values_list("amount", flat=True)]

    def charged(self) -> list[int]:
        return [each["amount"] for each in self.till.fake.store.all("ch")]


@pytest.fixture
def pro(till: Till, api: Api, bob: Account) -> Kept:
    return Kept(till, api, bob, "PRO")


@pytest.fixture
def premium(till: Till, api: Api, bob: Account) -> Kept:
    return Kept(till, api, bob, "PREMIUM")


class TestAPreview:
    def test_says_what_an_upgrade_then_costs(self, pro: Kept, later: Callable[[float], None]) -> None:
        later(10)

        told = pro.ask("preview", verb="upgrade", plan="PREMIUM")
        assert pro.now() == ("PRO", "active", None, False)
        assert pro.charged() == [2900]
        pro.ask("upgrade", plan="PREMIUM")

        paid = told["payment"]
        assert pro.charged() == [2900, paid["due_now_minor"]]
        assert paid["currency"] == "USD"
        assert 4000 < paid["due_now_minor"] < 7000
        assert 1500 < paid["credit_minor"] < 2900
        assert (paid["next_invoice_minor"], told["price_difference_minor"]) == (9900, 7000)
        assert pro.credits()[1] == told["credits_now"]

    def test_of_what_comes_with_the_next_period_asks_nothing_now(self, premium: Kept) -> None:
        lower = premium.ask("preview", verb="downgrade", plan="PRO")
        end = premium.ask("preview", verb="cancel")
        at_once = premium.ask("preview", verb="downgrade", plan="PRO", at_period_end=False)

        assert (lower["payment"]["due_now_minor"], lower["payment"]["next_invoice_minor"]) == (0, 2900)
        assert lower["payment"]["next_invoice_at"] == lower["effective_at"]
        assert (end["payment"]["due_now_minor"], end["payment"]["next_invoice_minor"]) == (0, None)
        # What is left of the better plan pays for the next period too.
        assert (at_once["payment"]["due_now_minor"], at_once["payment"]["next_invoice_minor"]) == (0, 0)

    def test_of_one_that_is_kept_by_hand_knows_no_payment(self, till: Till, api: Api, bob: Account) -> None:
        made = api.post("/api/v1/subscriptions", {"account": "bob", "plan": "PRO", "by_hand": True}).json()

        told = api.post(f"/api/v1/subscriptions/{made['id']}/preview", {"verb": "upgrade", "plan": "PREMIUM"}).json()

        assert told["payment"] is None


class TestAScheduledDowngrade:
    def test_comes_with_the_next_period_and_its_price(self, premium: Kept, later: Callable[[float], None]) -> None:
        told = premium.ask("downgrade", plan="PRO")

        assert (told["plan"], told["next_plan"]) == ("PREMIUM", "PRO")
        later(15)
        assert premium.now() == ("PREMIUM", "active", "PRO", False)
        later(17)
        assert premium.now() == ("PRO", "active", None, False)
        later(31)
        later(31)
        assert premium.now() == ("PRO", "active", None, False)
        assert premium.charged() == [9900, 2900, 2900, 2900]
        assert premium.credits() == [10_000, 1000, 1000, 1000]
        assert premium.till.fake.seen(premium.reference)["schedule"] is None
        assert premium.till.unhappy() == []

    def test_comes_by_our_own_clock_where_the_provider_is_late(
        self, premium: Kept, later: Callable[[float], None]
    ) -> None:
        premium.ask("downgrade", plan="PRO")
        stale = premium.till.news()

        clock.move(timedelta(days=32))
        premium.till.deliver(stale)
        assert premium.now()[:3] == ("PRO", "active", None)
        assert premium.credits() == [10_000]

        premium.till.fake.advance(32)
        premium.till.deliver()
        assert premium.now() == ("PRO", "active", None, False)
        assert premium.credits() == [10_000, 1000]

    @pytest.mark.parametrize("verb", ["resume", "cancel"])
    def test_is_taken_back_by_what_comes_after(self, premium: Kept, later: Callable[[float], None], verb: str) -> None:
        premium.ask("downgrade", plan="PRO")

        if verb == "cancel":
            premium.ask("cancel")
            assert premium.now() == ("PREMIUM", "active", None, True)
            premium.ask("downgrade", plan="PRO")
            assert premium.now() == ("PREMIUM", "active", "PRO", False)
        premium.ask("resume")

        assert premium.now() == ("PREMIUM", "active", None, False)
        later(32)
        assert premium.now() == ("PREMIUM", "active", None, False)
        assert premium.charged() == [9900, 9900]

    def test_replaces_no_other_and_is_refused_where_the_rules_refuse(self, premium: Kept) -> None:
        premium.ask("downgrade", 409, plan="PREMIUM")
        premium.ask("upgrade", 409, plan="PRO")
        premium.ask("downgrade", plan="PRO")
        premium.ask("downgrade", plan="PRO")

        assert premium.now() == ("PREMIUM", "active", "PRO", False)
        assert len(premium.till.fake.store.all("sub_sched")) == 1

    def test_by_the_app_is_scheduled_too(self, premium: Kept) -> None:
        told = premium.api.post("/api/subscriptions/bob/upgrade", {"tier": "PRO"}).json()

        assert (told["tier"], told["status"]) == ("PREMIUM", "ACTIVE")
        assert premium.now() == ("PREMIUM", "active", "PRO", False)

    def test_to_the_default_plan_is_to_cancel(self, premium: Kept, later: Callable[[float], None]) -> None:
        premium.ask("downgrade", plan="FREE")

        assert premium.now() == ("PREMIUM", "active", None, True)
        later(32)
        assert current_subscription(premium.account.pk).subscription is None

    @pytest.mark.parametrize("seed", range(8))
    def test_ends_in_one_state_whatever_order_is_told(
        self, premium: Kept, later: Callable[[float], None], seed: int
    ) -> None:
        premium.ask("downgrade", plan="PRO")
        premium.ask("resume")
        premium.ask("downgrade", plan="PRO")
        events = premium.till.news()
        random.Random(seed).shuffle(events)
        premium.till.deliver([*events, *events[:3]])
        assert premium.now() == ("PREMIUM", "active", "PRO", False)

        clock.move(timedelta(days=32))
        premium.till.fake.advance(32)
        events = [*events, *premium.till.news()]
        random.Random(seed + 100).shuffle(events)
        premium.till.deliver(events)

        assert premium.now() == ("PRO", "active", None, False)
        assert premium.credits() == [10_000, 1000]
        assert premium.till.unhappy() == []


class TestAnEnd:
    def test_is_resumed_before_it_comes_and_else_comes(self, pro: Kept, later: Callable[[float], None]) -> None:
        pro.ask("cancel")
        assert pro.now() == ("PRO", "active", None, True)
        pro.ask("resume")
        later(32)
        assert pro.now() == ("PRO", "active", None, False)
        pro.ask("cancel")
        later(31)

        assert current_subscription(pro.account.pk).subscription is None
        assert pro.charged() == [2900, 2900]
        assert pro.credits() == [1000, 1000]

    def test_that_came_is_taken_back_by_nobody(self, pro: Kept) -> None:
        assert pro.ask("resume", 409)["code"] == "nothing_to_resume"
        pro.ask("cancel", at_period_end=False)
        asked = len(pro.till.fake.events())

        assert pro.ask("resume", 409)["code"] == "subscription_ended"
        assert pro.ask("cancel", 409)["code"] == "subscription_ended"
        assert len(pro.till.fake.events()) == asked

    def test_is_refused_by_the_same_words_as_of_one_kept_by_hand(self, till: Till, api: Api, bob: Account) -> None:
        made = api.post("/api/v1/subscriptions", {"account": "bob", "plan": "PRO"}).json()
        address = f"/api/v1/subscriptions/{made['id']}"
        assert api.post(f"{address}/resume", {}).json()["code"] == "nothing_to_resume"
        api.post(f"{address}/cancel", {"at_period_end": False})
        assert api.post(f"{address}/resume", {}).json()["code"] == "subscription_ended"
