"""The buttons of an account that change its plan."""

from __future__ import annotations

import pytest

from credits.models import Account
from subscriptions.models import Subscription
from tests.admin.conftest import Desk, text

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
