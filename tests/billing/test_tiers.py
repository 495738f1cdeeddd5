"""Subscriptions that the provider keeps: plan, status and period as it says, credits for each period that was paid."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from billing.models import Invoice, Payment
from credits.models import Account, Transaction
from credits.services import clock
from subscriptions.models import Subscription
from subscriptions.queries import current_subscription
from tests.billing.shop import Shop, standing
from tests.subscriptions.factories import WHO, subscribe


@pytest.fixture
def later(shop: Shop, settings: Any) -> Any:
    """Puts the clocks of both forward together."""
    settings.TEST_CLOCK = True

    def move(days: float) -> None:
        clock.move(timedelta(days=days))
        shop.fake.advance(days)

    return move


def plan_of(account: Account) -> tuple[str, str]:
    """Return an account's plan and its status."""
    standing = current_subscription(account.pk)
    assert standing.version is not None
    return standing.version.plan_id, standing.status


def credits_of(account: Account) -> list[int]:
    """Return the plan credits that came in."""
    rows = Transaction.objects.filter(account=account, kind="plan").order_by("sequence")
    return [int(each) for each in rows.values_list("amount", flat=True)]


class TestAPlan:
    def test_begins_when_it_is_paid_with_its_credits(self, shop: Shop, bob: Account) -> None:
        reference = shop.subscribe(bob)

        shop.deliver()

        assert shop.unhappy() == []
        assert plan_of(bob) == ("PRO", "active")
        assert credits_of(bob) == [1000]
        row = Subscription.objects.get()
        assert (row.provider, row.provider_reference) == ("stripe", reference)
        told = shop.fake.seen(reference)["items"]["data"][0]
        assert row.current_period_end.timestamp() == told["current_period_end"]
        assert Invoice.objects.get().status == "paid"
        assert Payment.objects.get().movement is not None

    def test_renews_once_for_each_invoice_that_is_paid(self, shop: Shop, bob: Account, later: Any) -> None:
        shop.subscribe(bob)
        shop.deliver()

        later(32)
        assert standing(bob)[0] == 0
        shop.deliver()
        shop.deliver(shop.fake.events())

        assert credits_of(bob) == [1000, 1000]
        assert standing(bob)[0] == 1000
        assert plan_of(bob) == ("PRO", "active")
        assert shop.unhappy() == []

    def test_that_is_not_paid_goes_on_in_grace_without_credits(self, shop: Shop, bob: Account, later: Any) -> None:
        reference = shop.subscribe(bob)
        shop.deliver()

        shop.fake.fail_next_renewal(reference)
        later(32)
        shop.deliver()

        assert plan_of(bob) == ("PRO", "past_due")
        assert credits_of(bob) == [1000]
        assert standing(bob)[0] == 0
        shop.fake.pay_invoice(shop.fake.seen(reference)["latest_invoice"])
        shop.deliver()
        assert plan_of(bob) == ("PRO", "active")
        assert credits_of(bob) == [1000, 1000]

    def test_comes_back_when_it_is_paid_after_its_grace(self, shop: Shop, bob: Account, later: Any) -> None:
        reference = shop.subscribe(bob)
        shop.deliver()
        shop.fake.fail_next_renewal(reference)
        later(31)
        shop.deliver()
        clock.move(timedelta(days=8))
        assert plan_of(bob)[0] == "FREE"

        shop.fake.pay_invoice(shop.fake.seen(reference)["latest_invoice"])
        shop.deliver()

        assert plan_of(bob) == ("PRO", "active")
        assert credits_of(bob) == [1000, 1000]
        assert shop.unhappy() == []

    def test_that_ends_leaves_its_credits_until_they_expire(self, shop: Shop, bob: Account) -> None:
        reference = shop.subscribe(bob)
        shop.deliver()

        shop.fake.cancel(reference)
        shop.deliver()

        assert plan_of(bob) == ("FREE", "active")
        assert standing(bob)[0] == 1000

    def test_cancelled_in_the_portal_ends_with_its_period(self, shop: Shop, bob: Account, later: Any) -> None:
        reference = shop.subscribe(bob)
        shop.deliver()
        shop.fake.cancel_at_period_end(reference)
        shop.deliver()
        assert Subscription.objects.get().cancel_at_period_end

        shop.fake.keep(reference)
        shop.deliver()
        assert not Subscription.objects.get().cancel_at_period_end
        shop.fake.cancel_at_period_end(reference)
        later(32)
        shop.deliver()

        assert plan_of(bob) == ("FREE", "active")
        assert credits_of(bob) == [1000]

    def test_is_tried_first_and_then_paid(self, shop: Shop, bob: Account, later: Any) -> None:
        shop.subscribe(bob, trial=True)
        shop.deliver()
        assert plan_of(bob) == ("PRO", "trialing")
        assert standing(bob)[0] == 100
        assert credits_of(bob) == []

        later(15)
        shop.deliver()

        assert plan_of(bob) == ("PRO", "active")
        assert credits_of(bob) == [1000]
        assert shop.unhappy() == []

    def test_takes_the_place_of_one_that_was_kept_by_hand(self, shop: Shop, bob: Account) -> None:
        subscribe(bob, "PRO", "01-01")

        shop.subscribe(bob, "PREMIUM")
        shop.deliver()

        assert plan_of(bob) == ("PREMIUM", "active")
        assert Subscription.objects.filter(status="canceled").count() == 1
        assert WHO.actor.name == "tests"

    def test_refunded_takes_its_credits_back(self, shop: Shop, bob: Account) -> None:
        reference = shop.subscribe(bob)
        shop.deliver()
        intent = Payment.objects.get().provider_id

        shop.fake.refund(shop.fake.seen(intent)["latest_charge"])
        shop.deliver()

        assert standing(bob) == (0, 0, 0)
        assert plan_of(bob) == ("PRO", "active")
        assert reference


class TestAChange:
    def test_upward_brings_the_difference_for_the_rest_of_the_month(self, shop: Shop, bob: Account, later: Any) -> None:
        reference = shop.subscribe(bob)
        shop.deliver()
        later(15)

        shop.move(reference, "PREMIUM")
        shop.deliver()

        assert plan_of(bob) == ("PREMIUM", "active")
        first, more = credits_of(bob)
        assert first == 1000
        assert 4000 < more < 5500
        later(16)
        shop.deliver()
        assert credits_of(bob)[2:] == [10_000]
        assert shop.unhappy() == []

    def test_downward_at_once_takes_nothing_back(self, shop: Shop, bob: Account, later: Any) -> None:
        reference = shop.subscribe(bob, "PREMIUM")
        shop.deliver()

        shop.move(reference, "PRO")
        shop.deliver()
        later(31)
        shop.deliver()

        assert plan_of(bob) == ("PRO", "active")
        assert credits_of(bob) == [10_000, 1000]
