"""A plan that nobody collects the price of gives credits away: they count against a cap."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from credits.models import Account, ApprovalRequest, StaffAct, StaffCap
from credits.services.locks import read_account
from subscriptions.models import Subscription, SubscriptionChange
from subscriptions.services import subscriptions
from tests.admin.conftest import Desk, confirmation, staff
from tests.admin.test_approvals import decide, page
from tests.subscriptions.factories import WHO
from tests.subscriptions.test_desk import WHY, told


@pytest.fixture
def sam(ada: Account) -> Desk:
    StaffCap.objects.filter(role="Support", action="change-plan", unit="credits").update(per_action=1000, per_day=1500)
    return staff("sam", "Support")


@pytest.fixture
def lea(ada: Account) -> Desk:
    return staff("lea", "Support lead")


def test_within_the_cap_it_is_done_and_counts(sam: Desk, ada: Account) -> None:
    sam.confirm(ada, "change-plan", plan="PRO", **WHY)

    assert read_account(ada.pk).balance == 1000
    act = StaffAct.objects.get(action="change-plan")
    assert (act.unit, act.amount, act.after["Credits at once"]) == ("credits", 1000, "+1,000 credits")
    shown = told(sam.press(ada, "change-plan", plan="PREMIUM", **WHY))
    assert "More than 1,000 credits at once takes a second person." in shown


def test_above_it_a_lead_decides(sam: Desk, lea: Desk, ada: Account) -> None:
    sam.confirm(ada, "change-plan", plan="PREMIUM", **WHY)
    assert not Subscription.objects.exists()
    row = ApprovalRequest.objects.get()
    assert (row.action, row.unit, row.amount) == ("change-plan", "credits", 10_000)

    shown = lea.get(page(row))
    decide(lea, row, "approve", shown)

    assert read_account(ada.pk).balance == 10_000
    step = SubscriptionChange.objects.get()
    assert (step.actor_name, step.reason) == ("sam", "Asked for it")
    act = StaffAct.objects.get(action="change-plan")
    assert (act.actor_name, act.approved_by, act.amount) == ("sam", "lea", 10_000)
    decide(lea, row, "approve", shown)
    assert read_account(ada.pk).balance == 10_000


def test_the_day_is_counted(sam: Desk, ada: Account) -> None:
    StaffCap.objects.filter(role="Support", action="change-plan").update(per_action=10_000)
    sam.confirm(ada, "change-plan", plan="PRO", **WHY)

    shown = told(sam.press(ada, "change-plan", plan="PREMIUM", **WHY))

    assert "More than 1,500 credits in a day takes a second person; 1,000 are used today." in shown


def test_at_a_months_end_what_the_next_ones_bring_counts(sam: Desk, ada: Account) -> None:
    """Few credits come at once then, and all of the higher plan's a month from the next day on."""
    begun = timezone.now() - timedelta(days=27)
    subscriptions.subscribe(account=ada.pk, plan="PRO", cause=WHO, at=begun)

    shown = told(sam.press(ada, "change-plan", plan="PREMIUM", **WHY))

    assert "More than 1,000 credits at once takes a second person." in shown


def test_pressed_twice_it_is_done_once(sam: Desk, ada: Account) -> None:
    form = {"plan": "PRO", **WHY}
    given = confirmation(sam.press(ada, "change-plan", **form))

    for _ in range(2):
        answer = sam.press(ada, "change-plan", **form, confirmation=given)
        assert answer.status_code == 302

    assert read_account(ada.pk).balance == 1000
    assert StaffAct.objects.filter(action="change-plan").count() == 1


def test_what_brings_nothing_at_once_is_not_capped(sam: Desk, lea: Desk, ada: Account) -> None:
    Desk("dave", superuser=True).confirm(ada, "change-plan", plan="PREMIUM", **WHY)

    sam.confirm(ada, "change-plan", plan="PRO", **WHY)

    assert Subscription.objects.get().next_version is not None
    assert not ApprovalRequest.objects.exists()
