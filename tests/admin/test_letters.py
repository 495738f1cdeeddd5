"""The desk of messages that could not be applied."""

from __future__ import annotations

import pytest

from billing.models import DeadLetter
from billing.services.letters import Letter, keep_letters
from credits.models import Account
from tests.admin.conftest import Desk, text
from tests.factories import give

BODY = b'{"merchant_id": "bob", "amount": -5, "admin_id": "a-1", "reason": "fraud", "adjustment_id": "j-1"}'
PAGE = "billing/deadletter/"


@pytest.fixture
def letter(bob: Account) -> DeadLetter:
    keep_letters([Letter("evt.credits.manual_adjustment", "m-1", BODY, "insufficient_credits", "5 needed.")])
    return DeadLetter.objects.get()


def test_tells_what_came_and_why_it_could_not_be_applied(dave: Desk, letter: DeadLetter) -> None:
    assert "insufficient_credits" in text(dave.get(PAGE))
    assert "insufficient_credits" in text(dave.get(f"{PAGE}?q=m-1"))
    assert "admin_id" in text(dave.get(f"{PAGE}{letter.pk}/change/"))


def test_replays_a_message_when_it_can_be_applied(dave: Desk, letter: DeadLetter, bob: Account) -> None:
    button = f"{PAGE}{letter.pk}/replay/"
    assert "Replay the message?" in text(dave.get(button))
    dave.post(button)
    assert DeadLetter.objects.get().state == "open"

    give(bob, 5)
    dave.post(button)

    bob.refresh_from_db()
    assert (bob.balance, DeadLetter.objects.get().state) == (0, "replayed")


def test_dismisses_a_message(dave: Desk, letter: DeadLetter, bob: Account) -> None:
    button = f"{PAGE}{letter.pk}/dismiss/"
    assert "never applied" in text(dave.get(button))

    dave.post(button)

    assert DeadLetter.objects.get().state == "dismissed"
    assert bob.sequence == 0
