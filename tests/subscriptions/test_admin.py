"""The pages of plans in the admin."""

from __future__ import annotations

import pytest

from credits.models import Account
from subscriptions.models import Plan, PlanVersion, Subscription
from tests.admin.conftest import Desk, text
from tests.factories import make_account
from tests.subscriptions.factories import at, cancel, downgrade, subscribe


@pytest.fixture
def dave(ada: Account) -> Desk:
    """A superuser, and subscribers to look at."""
    downgrade(subscribe(ada, "PREMIUM", "01-01"), "PRO", "01-02", at_once=True)
    cancel(subscribe(make_account(external_id="bob", at=at("01-01")), "PRO", "01-01", trial=True), "01-02")
    return Desk("dave", superuser=True)


@pytest.mark.parametrize("model", [Plan, PlanVersion, Subscription])
def test_every_page_opens(dave: Desk, model: type[Plan | PlanVersion | Subscription]) -> None:
    name = model._meta.model_name
    assert dave.get(f"subscriptions/{name}/").status_code == 200
    for row in model.objects.all():
        assert dave.get(f"subscriptions/{name}/{row.pk}/change/").status_code == 200
    assert dave.get(f"subscriptions/{name}/add/").status_code == 403


def test_a_subscription_tells_its_history(dave: Desk) -> None:
    row = Subscription.objects.get(account__external_id="ada")

    page = text(dave.get(f"subscriptions/subscription/{row.pk}/change/"))

    assert "Downgraded" in page
    assert "monthly_after 1000" in page
    assert "Ends with the period" in text(dave.get("subscriptions/subscription/"))
    assert "ada" in text(dave.get(f"subscriptions/subscription/?q={row.pk}"))
    assert "Ends with the period" not in text(dave.get("subscriptions/subscription/?q=nothing"))


def test_a_plan_can_be_renamed_and_withdrawn(dave: Desk) -> None:
    page = dave.get("subscriptions/plan/PRO/change/")
    assert "1 subscriptions with their next period; 1 end or change before" in text(page)

    dave.post("subscriptions/plan/PRO/change/", name="Professional")

    plan = Plan.objects.get(pk="PRO")
    assert (plan.name, plan.active, plan.rank) == ("Professional", False, 10)


def test_staff_without_the_permission_sees_nothing(plans: None) -> None:
    eve = Desk("eve")

    for model in ("plan", "planversion", "subscription"):
        assert eve.get(f"subscriptions/{model}/").status_code == 403
