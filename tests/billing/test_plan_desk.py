"""Plans that are kept at the provider's, changed by the support desk."""

from __future__ import annotations

import pytest

from credits.models import Account, StaffAct
from tests.admin.conftest import Desk
from tests.billing.till import Till
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
