"""The buttons of an account that change its plan."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

from credits.admin import show
from credits.models import Account, StaffAct
from credits.services.locks import read_account
from subscriptions.models import Subscription
from tests.admin.conftest import Desk, text
from tests.factories import spend
from tests.subscriptions.factories import cancel, subscribe

WHY = {"note": "Asked for it", "ticket": ""}


@pytest.mark.parametrize("verb", ["change-plan", "cancel-plan", "resume-plan"])
def test_each_opens_and_explains_what_it_refuses(alice: Account, verb: str) -> None:
    dave = Desk("dave", superuser=True)

    assert dave.get(f"credits/account/{alice.pk}/{verb}/").status_code == 200
    answer = dave.press(alice, verb, plan="NONE", when="now", **WHY)
    assert answer.status_code == 200
    assert "confirmation" not in text(answer)
    assert not Subscription.objects.exists()


def test_they_need_their_own_permission(alice: Account) -> None:
    desk = Desk("somebody", "view_account", "adjust_account")

    assert desk.get(f"credits/account/{alice.pk}/cancel-plan/").status_code == 403


@pytest.fixture
def lea(ada: Account) -> Desk:
    """May change plans, and has no caps."""
    return Desk("lea", "view_account", "manage_subscription")


def test_a_preview_tells_what_a_plan_brings_and_that_nobody_collects_it(lea: Desk, ada: Account) -> None:
    page = told(lea.press(ada, "change-plan", plan="PREMIUM", **WHY))

    assert "Plan The default plan PREMIUM v1" in page
    assert "Credits at once – +10,000 credits" in page
    assert "Credits a month 0 10,000" in page
    assert "Price of a period Nothing 99.00 USD a month" in page
    assert "Collected by – Nobody: see to the payment by hand" in page
    assert "Uses for ml-analysis a day 2 50" in page
    assert not Subscription.objects.exists()


def test_the_log_says_what_it_brought(lea: Desk, ada: Account) -> None:
    assert lea.confirm(ada, "change-plan", plan="PREMIUM", **WHY).status_code == 302

    act = StaffAct.objects.get(action="change-plan")
    assert (act.before["Plan"], act.after["Plan"]) == ("The default plan", "PREMIUM v1")
    assert act.after["Credits at once"] == "+10,000 credits"
    assert read_account(ada.pk).balance == 10_000


@pytest.mark.parametrize(("plan", "name"), [("PRO", "Pro"), ("FREE", "Free")])
def test_a_change_that_waits_for_the_period_says_when_it_comes(lea: Desk, ada: Account, plan: str, name: str) -> None:
    lea.confirm(ada, "change-plan", plan="PREMIUM", **WHY)
    lea.confirm(ada, "change-plan", plan=plan, **WHY)

    ends = show.utc(Subscription.objects.get(account=ada).current_period_end)
    said = list(StaffAct.objects.filter(action="change-plan").order_by("id").values_list("what", flat=True))
    assert said == ["The plan is changed to Premium.", f"Changes to {name} on {ends}."]


def test_a_preview_tells_what_lapses_of_earlier_months(lea: Desk, ada: Account) -> None:
    cancel(subscribe(ada, "PREMIUM", "01-01"), "03-01", at_period_end=False)

    page = told(lea.press(ada, "change-plan", plan="PREMIUM", **WHY))
    lea.confirm(ada, "change-plan", plan="PREMIUM", **WHY)

    assert "Beyond the 5,000 that roll over – −10,000 credits lapse" in page
    assert read_account(ada.pk).balance == 15_000


def test_an_end_tells_what_no_longer_comes(lea: Desk, ada: Account) -> None:
    lea.confirm(ada, "change-plan", plan="PRO", **WHY)

    page = told(lea.press(ada, "cancel-plan", when="now", **WHY))

    assert "Credits a month 1,000 0" in page
    assert "Price of a period 29.00 USD a month Nothing" in page
    assert "Credits at once – Nothing" in page


def test_the_default_plan_is_no_subscription(lea: Desk, ada: Account) -> None:
    assert "Accounts without a subscription are on FREE." in text(lea.press(ada, "change-plan", plan="FREE", **WHY))


def told(answer: Any) -> str:
    """Return a page as it reads."""
    return unescape(" ".join(re.sub(r"<[^>]*>", " ", text(answer)).split()))


def test_the_account_says_that_credits_roll_over_and_when_and_why_some_lapse(lea: Desk, ada: Account) -> None:
    subscribe(ada, "PREMIUM", "01-01")
    page = told(lea.get(f"credits/account/{ada.pk}/change/"))

    # Ten months have rolled over up to the cap, and this month's came beside.
    assert "Next expiry" in page
    assert "10,000 beyond the 5,000 that roll over" in page
    assert "Rolls over" in page
    spend(ada, 1)
    page = told(lea.get(f"credits/account/{ada.pk}/change/?kind=expiry"))
    assert "expired (Beyond the 5,000 that roll over)" in page
    assert "Grant anew" not in page
