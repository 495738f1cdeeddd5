"""Plans that are kept at the provider's, changed by the support desk."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from credits.models import Account, StaffAct
from credits.services import clock
from subscriptions.models import Subscription, SubscriptionChange
from tests.admin.conftest import Desk
from tests.billing.till import Till
from tests.conftest import Api
from tests.subscriptions.test_desk import WHY, told


@pytest.fixture
def lea(till: Till, bob: Account) -> Desk:
    """May change plans. Bob pays for PRO."""
    till.subscribe(bob, "PRO")
    till.deliver()
    return Desk("lea", "view_account", "manage_subscription")


class TestAPreview:
    def test_tells_what_the_card_is_charged_and_what_comes(self, lea: Desk, bob: Account, till: Till) -> None:
        page = told(lea.press(bob, "change-plan", plan="PREMIUM", **WHY))

        assert "Charged to the customer's card now – 70.00 USD" in page
        assert "Next invoice – 99.00 USD on 2" in page
        assert "Credits at once – +9,000 credits" in page
        assert "Collected by" not in page
        assert [each["amount"] for each in till.fake.store.all("ch")] == [2900]

        assert lea.confirm(bob, "change-plan", plan="PREMIUM", **WHY).status_code == 302
        assert [each["amount"] for each in till.fake.store.all("ch")] == [2900, 7000]
        act = StaffAct.objects.get(action="change-plan")
        assert act.after["Charged to the customer's card now"] == "70.00 USD"
        assert act.after["Credits at once"] == "+9,000 credits"

    def test_of_an_end_tells_that_no_invoice_comes(self, lea: Desk, bob: Account) -> None:
        page = told(lea.press(bob, "cancel-plan", when="period_end", **WHY))

        assert "Charged to the customer's card now – Nothing" in page
        assert "Next invoice – None comes" in page


class TestTheHistory:
    def test_tells_who_asked_and_why(self, lea: Desk, bob: Account, till: Till) -> None:
        lea.confirm(bob, "change-plan", plan="PREMIUM", note="Ordered Premium", ticket="SUP-1")
        lea.confirm(bob, "change-plan", plan="PRO", note="Too much", ticket="")
        lea.confirm(bob, "resume-plan", note="Enough after all", ticket="")
        lea.confirm(bob, "cancel-plan", when="period_end", note="Moves away", ticket="")
        steps = history(bob)
        till.deliver()

        assert steps == history(bob)
        assert steps[0] == ("subscribe", "Florin", "As the payment provider says")
        assert steps[1] == ("upgrade", "lea", "Ordered Premium (SUP-1)")
        assert steps[-3:] == [
            ("schedule", "lea", "Too much"),
            ("resume", "lea", "Enough after all"),
            ("cancel", "lea", "Moves away"),
        ]
        assert till.unhappy() == []

    def test_tells_which_key_asked(self, lea: Desk, bob: Account) -> None:
        api = Api()
        row = Subscription.objects.get()
        api.post(f"/api/v1/subscriptions/{row.pk}/upgrade", {"plan": "PREMIUM", "reason": "By the shop"})
        api.post(f"/api/v1/subscriptions/{row.pk}/cancel", {"at_period_end": False, "reason": "Moved away"})

        assert [(kind, why) for _, kind, why in kinds(bob)][-2:] == [("key", "By the shop"), ("key", "Moved away")]

    def test_tells_that_an_app_asked(self, lea: Desk, bob: Account) -> None:
        api = Api()
        api.post("/api/subscriptions/bob/upgrade", {"tier": "PREMIUM"})
        api.post("/api/subscriptions/bob/cancel", {})

        assert [(verb, kind) for verb, kind, _ in kinds(bob)][1:] == [("upgrade", "key"), ("cancel", "key")]

    def test_leaves_a_renewal_that_was_not_heard_of_to_the_provider(
        self, lea: Desk, bob: Account, till: Till, settings: Any
    ) -> None:
        settings.TEST_CLOCK = True
        till.fake.advance(32)
        clock.move(timedelta(days=32))

        lea.confirm(bob, "cancel-plan", when="period_end", note="Moves away", ticket="")

        assert [who for verb, who, _ in history(bob) if verb == "cancel"] == ["lea"]
        assert "lea" not in [who for verb, who, _ in history(bob) if verb != "cancel"]


def history(account: Account) -> list[tuple[str, str, str]]:
    """Return what happened to an account's plan, by whom, and why."""
    rows = SubscriptionChange.objects.filter(subscription__account=account).order_by("id")
    return [(each.verb, each.actor_name or "Florin", each.reason) for each in rows]


def kinds(account: Account) -> list[tuple[str, str, str]]:
    """Return what happened to an account's plan, by what kind of actor, and why."""
    rows = SubscriptionChange.objects.filter(subscription__account=account).order_by("id")
    return [(each.verb, each.actor_kind, each.reason) for each in rows]
