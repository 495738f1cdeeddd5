"""Two tabs: of the pages for a plan that an account opens at once, one can be paid on."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from billing import refusals
from billing.models import Checkout
from billing.services import checkouts
from credits.models import Account
from credits.plan import Owner
from credits.services.once import Answer, Once
from subscriptions.models import Subscription
from subscriptions.queries import newest_version
from subscriptions.refusals import AlreadySubscribed
from tests.billing.till import BACK, WHO, Till
from tests.fakes.stripe import Fault
from tests.threads import at_once


def once(key: str, asked: str = "plan") -> Once:
    return Once("tests", key, asked, lambda _: Answer(201, "{}"), lambda refusal: Answer(refusal.status, "{}"))


def page(account: Account, plan: str = "PRO", key: str = "") -> Checkout:
    owner = Owner(account.external_id, account.unit_id)
    return checkouts.buy_plan(
        once=once(key) if key else None, owner=owner, version=newest_version(plan), back=BACK, actor=WHO
    )


def payable(till: Till) -> list[str]:
    """Return the pages that can be paid on."""
    return [each["id"] for each in till.fake.store.all("cs") if each["status"] == "open"]


class TestAtOnce:
    @pytest.mark.parametrize("before", [False, True])
    def test_one_page_is_left_to_pay_on(self, till: Till, bob: Account, before: bool) -> None:
        if before:
            page(bob, "PREMIUM")

        outcomes = at_once([partial(page, bob)] * 6)

        opened = [each for each in outcomes if isinstance(each, Checkout)]
        refused = [each for each in outcomes if isinstance(each, Exception)]
        assert all(isinstance(each, refusals.CheckoutReplaced) for each in refused), refused
        left = Checkout.objects.get(status="open")
        assert payable(till) == [left.provider_id]
        assert left.pk in {each.pk for each in opened}
        till.fake.customer_pays(left.provider_id)
        till.deliver()
        assert Subscription.objects.count() == len(till.fake.store.all("sub")) == 1
        assert till.unhappy() == []

    def test_and_for_one_key_there_is_one_page(self, till: Till, bob: Account) -> None:
        outcomes: list[Any] = at_once([partial(page, bob, key="k")] * 4)

        assert Checkout.objects.count() == len(payable(till)) == 1
        assert any(isinstance(each, Checkout) for each in outcomes)


class TestOneThatWasCutOff:
    def test_is_replaced_by_the_next_and_not_opened_by_its_key_any_more(self, till: Till, bob: Account) -> None:
        till.fake.api.faults.extend([Fault()] * 3)
        with pytest.raises(refusals.StripeUnreachable):
            page(bob, key="first")
        second = page(bob, "PREMIUM", key="second")

        with pytest.raises(refusals.CheckoutReplaced):
            page(bob, key="first")

        assert payable(till) == [second.provider_id]

    def test_is_opened_by_its_key_where_no_other_came(self, till: Till, bob: Account) -> None:
        earlier = page(bob)
        till.fake.api.faults.extend([Fault()] * 3)
        with pytest.raises(refusals.StripeUnreachable):
            page(bob, key="first")

        opened = page(bob, key="first")

        assert payable(till) == [opened.provider_id] != [earlier.provider_id]


def test_one_that_was_paid_keeps_others_from_being_opened_until_its_plan_is_here(till: Till, bob: Account) -> None:
    first = page(bob)
    till.fake.customer_pays(first.provider_id)

    for _ in range(3):
        with pytest.raises(AlreadySubscribed):
            page(bob)
    till.deliver()

    assert Checkout.objects.get(pk=first.pk).status == "paid"
    assert payable(till) == []
