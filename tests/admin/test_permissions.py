"""Who may press which button: superuser, staff with one verb, staff without, nobody."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from credits.models import Account
from tests.admin.conftest import QUOTA_VERBS, VERBS, Desk, text, verb_path
from tests.books import Books
from tests.factories import spend, unpriced

PERMISSION_OF = {
    "adjust": "adjust_account",
    "grant": "grant_credits",
    "refund": "refund_transaction",
    "freeze": "freeze_account",
    "unfreeze": "freeze_account",
    "edit": "change_account",
    "set-quota": "change_quota",
    "override-quota": "override_quota",
    "end-override": "override_quota",
    "reset-quota": "reset_quota",
}
FIELDS = {"amount": "5", "reason": "goodwill", "note": "n", "ticket": "", "time_zone": "UTC", "overdraft_limit": "9"}
FIELDS |= {"feature": "", "period": "daily", "measure": "credits", "limit": "5", "kind": "hard", "quota": ""}
FIELDS |= {"until": f"{timezone.now() + timedelta(days=20):%Y-%m-%dT%H:%M}"}


@pytest.mark.parametrize("verb", PERMISSION_OF)
@pytest.mark.parametrize("permission", [*VERBS, *QUOTA_VERBS])
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


PAGES = {
    "credits/price/new/": "add_price",
    "credits/price/import/": "import_prices",
    "credits/unpricedusage/rate-all/": "rate_unpricedusage",
    "credits/unpricedusage/{}/rate/": "rate_unpricedusage",
}


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("permission", sorted(set(PAGES.values())))
def test_so_does_each_button_of_the_catalogue(alice: Account, path: str, permission: str) -> None:
    path = path.format(unpriced(alice).pk) if "{}" in path else path
    model = path.split("/")[1]
    desk = Desk("somebody", f"view_{model}", permission)
    may = PAGES.get(path, "rate_unpricedusage") == permission

    assert desk.get(path).status_code == (200 if may else 403)
    assert desk.post(path).status_code == (200 if may else 403)
    assert Desk("blind", permission).get(path).status_code == 403
    assert Client().get(f"/admin/{path}").status_code == 302
    page = f"credits/{model}/{path.split('/')[2]}/change/" if path.endswith("/rate/") else f"credits/{model}/"
    assert (f'href="/admin/{path}"' in text(desk.get(page))) == may


def test_features_are_added_and_renamed_by_those_who_may(database: None) -> None:
    looking, adding = Desk("looking", "view_feature"), Desk("adding", "view_feature", "add_feature")

    assert looking.get("credits/feature/add/").status_code == 403
    assert adding.get("credits/feature/add/").status_code == 200
    assert adding.post("credits/feature/ai-tokens/change/", name="Mine").status_code == 403
