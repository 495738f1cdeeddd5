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
from tests.billing.till import Till, standing
from tests.subscriptions.factories import WHO, subscribe


@pytest.fixture
def later(till: Till, settings: Any) -> Any:
    """Puts the clocks of both forward together."""
    settings.TEST_CLOCK = True

    def move(days: float) -> None:
        clock.move(timedelta(days=days))
        till.fake.advance(days)

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
    def test_begins_when_it_is_paid_with_its_credits(self, till: Till, bob: Account) -> None:
        reference = till.subscribe(bob)

        till.deliver()

        assert till.unhappy() == []
        assert plan_of(bob) == ("PRO", "active")
        assert credits_of(bob) == [1000]
        row = Subscription.objects.get()
        assert (row.provider, row.provider_reference) == ("stripe", reference)
        told = till.fake.seen(reference)["items"]["data"][0]
        assert row.current_period_end.timestamp() == told["current_period_end"]
        assert Invoice.objects.get().status == "paid"
        assert Payment.objects.get().movement is not None

    def test_renews_once_for_each_invoice_that_is_paid(self, till: Till, bob: Account, later: Any) -> None:
        till.subscribe(bob)
        till.deliver()

        later(32)
        assert standing(bob)[0] == 0
        till.deliver()
        till.deliver(till.fake.events())

        assert credits_of(bob) == [1000, 1000]
        assert standing(bob)[0] == 1000
        assert plan_of(bob) == ("PRO", "active")
        assert till.unhappy() == []

    def test_that_is_not_paid_goes_on_in_grace_without_credits(self, till: Till, bob: Account, later: Any) -> None:
        reference = till.subscribe(bob)
        till.deliver()

        till.fake.fail_next_renewal(reference)
        later(32)
        till.deliver()

        assert plan_of(bob) == ("PRO", "past_due")
        assert credits_of(bob) == [1000]
        assert standing(bob)[0] == 0
        till.fake.pay_invoice(till.fake.seen(reference)["latest_invoice"])
        till.deliver()
        assert plan_of(bob) == ("PRO", "active")
        assert credits_of(bob) == [1000, 1000]

    def test_comes_back_when_it_is_paid_after_its_grace(self, till: Till, bob: Account, later: Any) -> None:
        reference = till.subscribe(bob)
        till.deliver()
        till.fake.fail_next_renewal(reference)
        later(31)
        till.deliver()
        clock.move(timedelta(days=8))
        assert plan_of(bob)[0] == "FREE"

        till.fake.pay_invoice(till.fake.seen(reference)["latest_invoice"])
        till.deliver()

        assert plan_of(bob) == ("PRO", "active")
        assert credits_of(bob) == [1000, 1000]
        assert till.unhappy() == []

    def test_that_ends_leaves_its_credits_until_they_expire(self, till: Till, bob: Account) -> None:
        reference = till.subscribe(bob)
        till.deliver()

        till.fake.cancel(reference)
        till.deliver()

        assert plan_of(bob) == ("FREE", "active")
        assert standing(bob)[0] == 1000

    def test_cancelled_in_the_portal_ends_with_its_period(self, till: Till, bob: Account, later: Any) -> None:
        reference = till.subscribe(bob)
        till.deliver()
        till.fake.cancel_at_period_end(reference)
        till.deliver()
        assert Subscription.objects.get().cancel_at_period_end

        till.fake.keep(reference)
        till.deliver()
        assert not Subscription.objects.get().cancel_at_period_end
        till.fake.cancel_at_period_end(reference)
        later(32)
        till.deliver()

        assert plan_of(bob) == ("FREE", "active")
        assert credits_of(bob) == [1000]

    def test_is_tried_first_and_then_paid(self, till: Till, bob: Account, later: Any) -> None:
        till.subscribe(bob, trial=True)
        till.deliver()
        assert plan_of(bob) == ("PRO", "trialing")
        assert standing(bob)[0] == 100
        assert credits_of(bob) == []

        later(15)
        till.deliver()

        assert plan_of(bob) == ("PRO", "active")
        assert credits_of(bob) == [1000]
        assert till.unhappy() == []

    def test_takes_the_place_of_one_that_was_kept_by_hand(self, till: Till, bob: Account) -> None:
        subscribe(bob, "PRO", "01-01")

        till.subscribe(bob, "PREMIUM")
        till.deliver()

        assert plan_of(bob) == ("PREMIUM", "active")
        assert Subscription.objects.filter(status="canceled").count() == 1
        assert WHO.actor.name == "tests"

    def test_refunded_takes_its_credits_back(self, till: Till, bob: Account) -> None:
        reference = till.subscribe(bob)
        till.deliver()
        intent = Payment.objects.get().provider_id

        till.fake.refund(till.fake.seen(intent)["latest_charge"])
        till.deliver()

        assert standing(bob) == (0, 0, 0)
        assert plan_of(bob) == ("PRO", "active")
        assert reference


class TestAChange:
    def test_upward_brings_the_difference_for_the_rest_of_the_month(self, till: Till, bob: Account, later: Any) -> None:
        reference = till.subscribe(bob)
        till.deliver()
        later(15)

        till.move(reference, "PREMIUM")
        till.deliver()

        assert plan_of(bob) == ("PREMIUM", "active")
        first, more = credits_of(bob)
        assert first == 1000
        assert 4000 < more < 5500
        later(16)
        till.deliver()
        assert credits_of(bob)[2:] == [10_000]
        assert till.unhappy() == []

    def test_downward_at_once_takes_nothing_back(self, till: Till, bob: Account, later: Any) -> None:
        reference = till.subscribe(bob, "PREMIUM")
        till.deliver()

        till.move(reference, "PRO")
        till.deliver()
        later(31)
        till.deliver()

        assert plan_of(bob) == ("PRO", "active")
        assert credits_of(bob) == [10_000, 1000]
