"""A subscription at the provider's that nothing here follows: it is ended there, and what it took waits to go back."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from billing.models import Checkout, Payment, PlanPrice, StraySubscription
from billing.providers import stripe
from billing.services import reconciliation, refunds, strays
from credits.models import Account
from credits.plan import Memo
from credits.services.accounts import close_account
from subscriptions.models import Subscription
from subscriptions.queries import newest_version
from tests.billing.test_two_pages import page, payable
from tests.billing.till import BACK, WHO, Till, standing
from tests.factories import spend
from tests.fakes.stripe import Fault


def second_page(account: Account, plan: str = "PRO") -> str:
    """Open a page of which the account's other pages do not know, as one of an older release, or by hand."""
    price = PlanPrice.objects.get(plan_version=newest_version(plan)).price_reference
    customer = account.customers.get().provider_id
    made = stripe.client().checkout_plan(
        customer=customer, price=price, success_url=BACK.success_url, cancel_url=BACK.cancel_url,
        reference=account.external_id, metadata={}, idempotency_key="by hand",
    )  # fmt: skip
    return made.id


def close(account: Account) -> None:
    balance = standing(account)[0]
    if balance:
        spend(account, balance)
    close_account(account=account.pk, memo=Memo(WHO, reason="gone"))


def state_of(till: Till, subscription: str) -> str:
    return str(till.fake.seen(subscription)["status"])


@pytest.fixture
def twice(till: Till, bob: Account) -> str:
    """Bob pays for two subscriptions. Returns the one that came second."""
    till.subscribe(bob)
    till.deliver()
    other = second_page(bob)
    till.fake.customer_pays(other)
    till.deliver()
    return str(till.fake.seen(other)["subscription"])


class TestASecondSubscription:
    def test_is_ended_at_the_provider_s_and_what_it_took_waits_to_go_back(
        self, till: Till, bob: Account, twice: str
    ) -> None:
        assert till.unhappy() == []
        stray = StraySubscription.objects.get()
        assert (stray.provider_id, stray.ended_at) == (twice, None)
        assert "pays for sub_" in stray.reason

        assert strays.end_strays() == 1

        assert state_of(till, twice) == "canceled"
        assert strays.end_strays() == 0
        till.deliver()
        assert till.unhappy() == []
        lost = Payment.objects.exclude(uncredited="").get()
        assert (lost.amount_minor, lost.movement_id, lost.uncredited) == (2900, None, stray.reason)
        assert Subscription.objects.get().status == "active"
        assert standing(bob)[0] == 1000
        assert reconciliation.list_differences() == 0
        refunds.refund_payment(once=None, payment=lost.provider_id, amount_minor=None, reason="Twice", actor=WHO)
        till.deliver()
        assert standing(bob) == (1000, 0, 0)

    def test_is_told_on_the_front_page_until_it_is_ended(self, till: Till, bob: Account, twice: str) -> None:
        desk = Client()
        desk.force_login(User.objects.create_superuser("carol"))
        assert "Subscriptions to be ended at Stripe" in desk.get("/admin/").content.decode()
        found = desk.get("/admin/billing/straysubscription/").content.decode()
        assert twice in found
        row = StraySubscription.objects.get()
        assert row.reason in desk.get(f"/admin/billing/straysubscription/{row.pk}/change/").content.decode()

    def test_is_tried_again_where_the_provider_is_away(self, till: Till, bob: Account, twice: str) -> None:
        till.fake.api.faults.extend([Fault()] * 3)
        assert strays.end_strays() == 0
        row = StraySubscription.objects.get()
        assert (row.ended_at, row.failure != "") == (None, True)

        assert strays.end_strays() == 1
        assert StraySubscription.objects.get().failure == ""

    def test_is_the_account_s_own_where_the_first_is_over_and_nobody_heard(self, till: Till, bob: Account) -> None:
        first = till.subscribe(bob)
        till.deliver()
        till.fake.cancel(first)
        ended = till.news()
        other = second_page(bob)
        till.fake.customer_pays(other)

        till.deliver()

        second = str(till.fake.seen(other)["subscription"])
        assert not StraySubscription.objects.exists()
        live = Subscription.objects.get(status="active")
        assert live.provider_reference == second
        till.deliver(ended)
        assert till.unhappy() == []
        assert state_of(till, second) == "active"

    def test_is_the_account_s_own_where_the_first_ended_before_it_could_be(
        self, till: Till, bob: Account, twice: str
    ) -> None:
        till.fake.cancel(Subscription.objects.get().provider_reference)
        till.deliver()

        assert strays.end_strays() == 1

        assert state_of(till, twice) == "active"
        assert Subscription.objects.get(status="active").provider_reference == twice
        assert not Payment.objects.exclude(uncredited="").exists()


class TestAClosedAccount:
    def test_ends_its_subscription_at_the_provider_s(self, till: Till, bob: Account) -> None:
        reference = till.subscribe(bob)
        till.deliver()
        close(bob)

        assert strays.end_strays() == 1

        assert state_of(till, reference) == "canceled"
        till.deliver()
        assert till.unhappy() == []
        assert reconciliation.list_differences() == 0
        assert strays.end_strays() == 0
        assert not Payment.objects.exclude(uncredited="").exists()

    def test_has_no_page_to_pay_on_any_more(self, till: Till, bob: Account) -> None:
        till.open(bob)
        page(bob)
        close(bob)

        assert strays.close_pages() == 2

        assert payable(till) == []
        assert set(Checkout.objects.values_list("status", flat=True)) == {"expired"}
        assert strays.close_pages() == 0

    def test_that_was_paid_for_all_the_same_has_the_money_wait_to_go_back(self, till: Till, bob: Account) -> None:
        pack = till.open(bob)
        close(bob)
        till.fake.customer_pays(pack.provider_id)

        till.deliver()

        assert till.unhappy() == []
        lost = Payment.objects.get()
        assert (lost.movement_id, lost.uncredited) == (None, "The account is closed.")
        assert strays.close_pages() == 0
        refunds.refund_payment(once=None, payment=lost.provider_id, amount_minor=None, reason="Closed", actor=WHO)
        till.deliver()
        assert till.unhappy() == []

    @pytest.mark.parametrize("renewed", [False, True])
    def test_whose_plan_was_paid_all_the_same_has_it_ended_and_the_money_wait(
        self, till: Till, bob: Account, renewed: bool
    ) -> None:
        if renewed:
            reference = till.subscribe(bob)
            till.deliver()
            close(bob)
            till.fake.renew(reference)
        else:
            plan = page(bob)
            close(bob)
            till.fake.customer_pays(plan.provider_id)
            reference = str(till.fake.seen(plan.provider_id)["subscription"])

        till.deliver()
        assert strays.end_strays() == 1
        till.deliver()

        assert state_of(till, reference) == "canceled"
        assert till.unhappy() == []
        lost = Payment.objects.exclude(uncredited="").get()
        assert (lost.amount_minor, lost.uncredited) == (2900, "The account is closed.")
        assert standing(bob) == (0, 0, 0)
        assert reconciliation.list_differences() == 0
