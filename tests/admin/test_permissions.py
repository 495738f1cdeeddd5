"""Who may press which button: superuser, staff with one verb, staff without, nobody."""

from __future__ import annotations

import pytest
from django.test import Client

from credits.models import Account
from tests.admin.conftest import VERBS, Desk, text, verb_path
from tests.books import Books
from tests.factories import spend

PERMISSION_OF = {
    "adjust": "adjust_account",
    "grant": "grant_credits",
    "refund": "refund_transaction",
    "freeze": "freeze_account",
    "unfreeze": "freeze_account",
    "edit": "change_account",
}
FIELDS = {"amount": "5", "reason": "goodwill", "note": "n", "ticket": "", "time_zone": "UTC", "overdraft_limit": "9"}


@pytest.mark.parametrize("verb", PERMISSION_OF)
@pytest.mark.parametrize("permission", VERBS)
def test_a_verb_needs_its_own_permission(alice: Account, verb: str, permission: str) -> None:
    desk = Desk("somebody", "view_account", permission)
    may = PERMISSION_OF[verb] == permission

    assert desk.get(verb_path(alice, verb)).status_code == (200 if may else 403)
    assert desk.press(alice, verb, **FIELDS).status_code in ((200, 302) if may else (403,))
    button = f'href="/admin/{verb_path(alice, verb)}"' in text(desk.get(f"credits/account/{alice.pk}/change/"))
    assert button == (may and verb != "unfreeze")


@pytest.mark.parametrize("verb", PERMISSION_OF)
def test_a_superuser_may_press_every_button(dave: Desk, alice: Account, verb: str) -> None:
    assert dave.get(verb_path(alice, verb)).status_code == 200


@pytest.mark.parametrize("verb", PERMISSION_OF)
def test_staff_without_rights_may_press_none(eve: Desk, alice: Account, books: Books, verb: str) -> None:
    before = books()

    assert eve.get(verb_path(alice, verb)).status_code == 403
    assert eve.press(alice, verb, **FIELDS).status_code == 403
    assert eve.get(f"credits/account/{alice.pk}/change/").status_code == 403
    assert books() == before


@pytest.mark.parametrize("verb", PERMISSION_OF)
def test_nobody_is_sent_to_log_in(alice: Account, books: Books, verb: str) -> None:
    before = books()
    client = Client()

    for answer in (client.get(f"/admin/{verb_path(alice, verb)}"), client.post(f"/admin/{verb_path(alice, verb)}")):
        assert answer.status_code == 302
        assert "/admin/login/" in answer["Location"]
    assert books() == before


def test_a_verb_needs_the_permission_to_look_too(alice: Account) -> None:
    desk = Desk("blind", "adjust_account")

    assert desk.get(verb_path(alice, "adjust")).status_code == 403


def test_a_form_without_its_token_is_refused(dave: Desk, alice: Account) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(dave.user)

    assert strict.post(f"/admin/{verb_path(alice, 'adjust')}", FIELDS).status_code == 403


def test_refund_links_show_for_those_who_may(alice: Account) -> None:
    spend(alice, 5)
    looking, refunding = Desk("looking", "view_account"), Desk("refunding", "view_account", "refund_transaction")

    page = f"credits/account/{alice.pk}/change/"
    assert "?movement=" not in text(looking.get(page))
    assert "?movement=" in text(refunding.get(page))
