"""Real threads: of two who want the same, one wins, and nothing is granted twice."""

from __future__ import annotations

import pytest

from credits.models import Account
from credits.plan import Owner
from subscriptions import refusals
from subscriptions.models import PlanVersion, Subscription, SubscriptionChange
from subscriptions.services import subscriptions
from subscriptions.services.by_account import go_to_plan
from tests.conftest import Api
from tests.factories import make_account
from tests.subscriptions.factories import WHO, add_version, make_plans
from tests.threads import at_once


@pytest.fixture
def eve(committed: None) -> Account:
    make_plans()
    return make_account(external_id="eve")


def test_eight_threads_subscribe_and_one_wins(eve: Account) -> None:
    outcomes = at_once([lambda: subscriptions.subscribe(account=eve.pk, plan="PRO", cause=WHO)] * 8)

    assert sum(isinstance(each, Subscription) for each in outcomes) == 1
    assert sum(isinstance(each, refusals.AlreadySubscribed) for each in outcomes) == 7
    eve.refresh_from_db()
    assert eve.balance == 1000


def test_eight_threads_upgrade_and_one_wins(eve: Account) -> None:
    row = subscriptions.subscribe(account=eve.pk, plan="PRO", cause=WHO)

    outcomes = at_once([lambda: subscriptions.upgrade(subscription=row.pk, plan="PREMIUM", cause=WHO)] * 8)

    assert sum(isinstance(each, Subscription) for each in outcomes) == 1
    assert sum(isinstance(each, refusals.SamePlan) for each in outcomes) == 7
    eve.refresh_from_db()
    assert eve.balance == 10_000


def test_an_upgrade_and_a_cancellation_leave_one_of_the_two(eve: Account) -> None:
    row = subscriptions.subscribe(account=eve.pk, plan="PRO", cause=WHO)

    at_once(
        [
            lambda: subscriptions.upgrade(subscription=row.pk, plan="PREMIUM", cause=WHO),
            lambda: subscriptions.cancel(subscription=row.pk, cause=WHO),
            lambda: subscriptions.downgrade(subscription=row.pk, plan="FREE", cause=WHO),
        ]
    )

    row.refresh_from_db()
    assert (row.plan_version.plan_id, row.status) == ("PREMIUM", "active")
    assert SubscriptionChange.objects.filter(verb="upgrade").count() == 1


def test_a_user_never_seen_is_subscribed_once_by_sixteen_threads(committed: None) -> None:
    make_plans()
    owner = Owner("user_new", "credits")

    outcomes = at_once([lambda: go_to_plan(owner=owner, plan="PRO", cause=WHO)] * 16)

    assert [each for each in outcomes if isinstance(each, Exception)] == []
    assert (Subscription.objects.count(), Account.objects.get().balance) == (1, 1000)


def test_the_same_key_from_sixteen_threads_subscribes_once_and_answers_alike(eve: Account, api: Api) -> None:
    body = {"account": "eve", "plan": "PRO"}

    outcomes = at_once([lambda: api.post("/api/v1/subscriptions", body, once="the-key").content] * 16)

    assert len(set(outcomes)) == 1
    assert b'"plan":"PRO"' in outcomes[0]  # type: ignore[operator]
    assert Subscription.objects.count() == 1


def test_versions_added_at_once_are_numbered_in_turn(committed: None) -> None:
    make_plans()

    at_once([lambda: add_version("PRO", monthly_credits=2000)] * 4)

    numbers = sorted(PlanVersion.objects.filter(plan="PRO").values_list("number", flat=True))
    assert numbers == [1, 2, 3, 4, 5]
