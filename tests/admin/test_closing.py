"""The button that ends an account."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group

from credits.models import Account, ApprovalRequest, StaffAct
from tests.admin.conftest import Desk, confirmation, text
from tests.books import Books
from tests.factories import give, hold

LEFT = {"reason": "other", "note": "The customer leaves", "ticket": "SUP-9"}


@pytest.fixture
def lea(database: None) -> Desk:
    desk = Desk("lea")
    desk.user.groups.set(Group.objects.filter(name="Support lead"))
    return desk


def test_ends_an_empty_account(lea: Desk, bob: Account) -> None:
    lea.confirm(bob, "close", **LEFT)

    bob.refresh_from_db()
    act = StaffAct.objects.get(action="close")
    assert bob.status == "closed"
    assert (act.before["Status"], act.after["Status"], act.ticket) == ("Active", "Closed", "SUP-9")


def test_refuses_what_is_not_empty_and_says_what_is_left(lea: Desk, alice: Account, books: Books) -> None:
    before = books()

    shown = text(lea.press(alice, "close", **LEFT))

    assert "The account has a balance of 100, 0 held, a debt of 0." in shown
    assert 'name="confirmation"' not in shown
    assert books() == before


def test_gives_up_what_is_left_where_that_is_asked_for(lea: Desk, alice: Account) -> None:
    shown = text(lea.press(alice, "close", forfeit="on", **LEFT))
    lea.confirm(alice, "close", forfeit="on", **LEFT)

    alice.refresh_from_db()
    last = alice.transactions.latest("sequence")
    assert "−100" in shown
    assert (alice.status, alice.balance) == ("closed", 0)
    assert (last.kind, last.amount, last.reason, last.actor_name) == ("adjustment", -100, "other", "lea")
    # It counts against the day of whoever did it.
    assert StaffAct.objects.get(action="close").amount == 100


@pytest.mark.parametrize("forfeit", ["", "on"])
def test_refuses_what_is_held(lea: Desk, alice: Account, forfeit: str) -> None:
    hold(alice, 10)

    assert "10 held" in text(lea.press(alice, "close", forfeit=forfeit, **LEFT))


def test_gives_up_no_more_than_was_shown(lea: Desk, alice: Account) -> None:
    given = confirmation(lea.press(alice, "close", forfeit="on", **LEFT))
    give(alice, 50)

    shown = text(lea.press(alice, "close", forfeit="on", **LEFT, confirmation=given))
    alice.refresh_from_db()

    assert "−150" in shown
    assert (alice.status, alice.balance) == ("active", 150)


def test_above_the_cap_takes_a_second_person(lea: Desk, alice: Account) -> None:
    give(alice, 5000)
    lea.confirm(alice, "close", forfeit="on", **LEFT)
    row = ApprovalRequest.objects.get()
    finance = Desk("fin")
    finance.user.groups.set(Group.objects.filter(name="Finance"))

    shown = finance.get(f"credits/approvalrequest/{row.pk}/change/")
    finance.post(f"credits/approvalrequest/{row.pk}/approve/", confirmation=confirmation(shown), decision="Fair")
    alice.refresh_from_db()

    assert (row.action, row.amount) == ("close", 5100)
    assert (alice.status, alice.balance) == ("closed", 0)
    assert StaffAct.objects.get(action="close").approved_by == "fin"


def test_is_not_offered_once_it_is_closed(lea: Desk, bob: Account) -> None:
    lea.confirm(bob, "close", **LEFT)

    assert "/close/" not in text(lea.get(f"credits/account/{bob.pk}/change/"))
