"""Every page and button of the admin × every role. The addresses come from the URL configuration: a new one that
stands in no table fails here until somebody says whose it is."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import get_resolver

from billing.services.catalogue import Terms, add_pack
from credits.models import Account, ApprovalRequest, Transaction
from credits.plan import Actor
from credits.services.bulk import Asked, Why, check_bulk
from credits.services.keys import create_api_key
from tests.admin.conftest import Desk, confirmation, text
from tests.admin.test_roles import EVERYBODY, LISTS, A, F, L, S
from tests.books import Books
from tests.factories import hold, spend, unpriced

NOBODY = set[str]()
STAFF = EVERYBODY | {"no role"}
OF_ACCOUNT = {
    "adjust": {S, L, F}, "refund": {S, L, F}, "grant": {S, L}, "transfer": {S, L}, "release-hold": {S, L},
    "extend-hold": {S, L}, "override-quota": {S, L}, "end-override": {S, L}, "reset-quota": {S, L}, "set-quota": {L},
    "edit": {L}, "freeze": {L, F}, "unfreeze": {L, F}, "close": {L, F}, "change-plan": {S, L}, "cancel-plan": {S, L},
    "resume-plan": {S, L}, "send-statement": {S, L, F}, "resync": {S, L, F}, "statement": EVERYBODY,
}  # fmt: skip
OF_ENDPOINT = ("edit", "test", "rotate", "switch", "replay-failed", "delete-for-good")
# What opens by looking at it.
PAGES = {
    "admin/": STAFF,
    "admin/find/": STAFF,
    "admin/find/answer/": EVERYBODY,
    "admin/reports/": EVERYBODY,
    "admin/second-factor/": STAFF,
    "admin/password_change/": STAFF,
    "admin/credits/bulkadjustment/upload/": {L, F},
    "admin/credits/bulkadjustment/<int:pk>/report/": {L, F, A},
    "admin/credits/price/new/": {F},
    "admin/billing/webhookendpoint/new/": {L},
    "admin/credits/price/import/": {F},
    "admin/credits/unpricedusage/rate-all/": {F},
    "admin/billing/pack/new/": {F},
    "admin/billing/pack/<path:object_id>/edit/": {F},
    "admin/billing/pack/<path:object_id>/retire/": {F},
    "admin/billing/planprice/new/": {F},
    "admin/auth/user/<id>/password/": NOBODY,
    "admin/credits/apikey/<path:object_id>/revoke/": NOBODY,
    **{f"admin/credits/account/<path:object_id>/{name}/": roles for name, roles in OF_ACCOUNT.items()},
}
# What only a POST does.
POSTS = {
    "admin/credits/bulkadjustment/<int:pk>/confirm/": {L, F},
    "admin/credits/bulkadjustment/<int:pk>/discard/": {L, F},
    "admin/credits/bulkadjustment/<int:pk>/undo/": {L, F},
    "admin/credits/approvalrequest/<int:pk>/approve/": {L, F},
    "admin/credits/approvalrequest/<int:pk>/refuse/": {L, F},
    # Of one's own.
    "admin/credits/approvalrequest/<int:pk>/withdraw/": EVERYBODY,
    "admin/credits/taskrun/<path:object_id>/run/": {L},
    "admin/credits/unpricedusage/<path:object_id>/rate/": {F},
    "admin/billing/providerevent/<path:object_id>/replay/": {L},
    "admin/billing/deadletter/<path:object_id>/replay/": {L},
    "admin/billing/deadletter/<path:object_id>/dismiss/": {L},
    "admin/billing/difference/compare/": {F},
    "admin/billing/pack/publish/": {F},
    "admin/billing/difference/<path:object_id>/repair/": {F},
    "admin/billing/payment/<path:object_id>/refund/": {L, F},
    "admin/billing/autotopup/<path:object_id>/switch/": {S, L},
    **{f"admin/billing/webhookendpoint/<path:object_id>/{name}/": {L} for name in OF_ENDPOINT},
    "admin/billing/webhookdelivery/<path:object_id>/replay/": {L},
    "admin/billing/webhookdelivery/<path:object_id>/give-up/": {L},
}
ADDS = {"credits/feature/": {F}}
# Django's own and unfold's, for whoever is signed in, or for signing in; reports are tried with their list.
COMMON = {
    "admin/r/<path:content_type_id>/<path:object_id>/",
    "admin/(?P<url>.*)$", "admin/autocomplete/", "admin/jsi18n/", "admin/login/", "admin/logout/", "admin/search/",
    "admin/password_change/done/", "admin/reports/<slug:name>/",
}  # fmt: skip
OF_A_ROW = ("<path:object_id>/change/", "<path:object_id>/delete/", "<path:object_id>/history/", "<path:object_id>/")


def addresses(resolver: Any, before: str = "") -> Iterator[str]:
    for each in resolver.url_patterns:
        if hasattr(each, "url_patterns"):
            yield from addresses(each, before + str(each.pattern))
        else:
            yield before + str(each.pattern)


def test_every_address_stands_in_a_table() -> None:
    ours = {each for each in addresses(get_resolver()) if each.startswith("admin/")}
    lists = {f"admin/{each}" for each in LISTS}
    of_lists = {f"{each}{end}" for each in lists for end in ("", "add/", *OF_A_ROW)}
    said = PAGES.keys() | POSTS.keys() | of_lists | COMMON

    assert {each for each in ours - said if "app_label" not in each} == set()
    assert PAGES.keys() | POSTS.keys() <= ours


@pytest.fixture
def rows(alice: Account) -> dict[str, str]:
    """Something to press each button on."""
    spend(alice, 10)
    hold(alice, 5)
    why = Why(Actor("staff", "0", "somebody else"), "goodwill")
    bulk = check_bulk(file_name="x.csv", unit="credits", lines=[Asked(1, alice.external_id, "5")], why=why)
    asked = ApprovalRequest.objects.create(
        action="adjust", account=alice, unit="credits", amount=900, why="Above the cap", key="x", asked_by_id="0",
        asked_by_name="somebody else", asked_at=alice.created_at, lapses_at="2999-01-01T00:00Z",
    )  # fmt: skip
    return {
        "account": str(alice.pk),
        "bulkadjustment": str(bulk.pk),
        "approvalrequest": str(asked.pk),
        "apikey": str(create_api_key(name="x", scopes=["credits:read"])[0].pk),
        "unpricedusage": str(unpriced(alice, charged=1).pk),
        "providerevent": "0",
        "deadletter": "0",
        "difference": "0",
        "payment": "0",
        "pack": add_pack(code="x", terms=Terms("X", Decimal(1), 100)).pk,
        "autotopup": "0",
        "webhookendpoint": "0",
        "webhookdelivery": "0",
        "user": "0",
        "taskrun": "0",
    }


def filled(address: str, rows: dict[str, str]) -> str:
    """Return an address with a row in it."""
    noun = address.split("/")[2] if address.count("/") > 2 else ""
    for name in ("<path:object_id>", "<int:pk>", "<id>"):
        address = address.replace(name, rows.get(noun, ""))
    return address.removeprefix("admin/")


def somebody(role: str) -> Desk:
    desk = Desk("somebody")
    desk.user.groups.set(Group.objects.filter(name=role))
    return desk


@pytest.mark.parametrize("role", sorted(STAFF))
def test_pages_open_for_whom_they_should(rows: dict[str, str], role: str) -> None:
    desk, before = somebody(role), Transaction.objects.count()

    opened = {each for each in PAGES if desk.get(filled(each, rows)).status_code not in {403, 404}}

    assert opened == {each for each, roles in PAGES.items() if role in roles}
    assert Transaction.objects.count() == before


@pytest.mark.parametrize("role", sorted(STAFF))
def test_what_a_post_does_is_for_whom_it_should(rows: dict[str, str], role: str) -> None:
    desk = somebody(role)

    done = {each for each in POSTS if desk.post(filled(each, rows)).status_code != 403}

    assert done == {each for each, roles in POSTS.items() if role in roles}


@pytest.mark.parametrize("role", sorted(STAFF))
def test_rows_are_added_by_whom_they_should(database: None, role: str) -> None:
    desk = somebody(role)

    added = {each for each in LISTS if desk.get(f"{each}add/").status_code != 403}

    assert added == {each for each, roles in ADDS.items() if role in roles}


@pytest.mark.parametrize("address", sorted(POSTS.keys() - {"admin/credits/unpricedusage/<path:object_id>/rate/"}))
def test_no_money_moves_by_looking(rows: dict[str, str], books: Books, dave: Desk, address: str) -> None:
    before = books()

    dave.get(filled(address, rows))

    assert books() == before
    assert ApprovalRequest.objects.get().status == "waiting"


@pytest.mark.parametrize("role", sorted(EVERYBODY))
def test_the_account_page_shows_the_buttons_of_whom_they_are(rows: dict[str, str], role: str) -> None:
    page = text(somebody(role).get(f"credits/account/{rows['account']}/change/"))

    shown = {name for name in OF_ACCOUNT if f"{rows['account']}/{name}/" in page}
    # Nothing is frozen, and nothing lapsed.
    assert shown == {name for name, roles in OF_ACCOUNT.items() if role in roles} - {"unfreeze"}


@pytest.mark.parametrize("noun", ["account", "transaction", "grant", "hold"])
def test_nothing_of_the_ledger_can_be_selected(rows: dict[str, str], dave: Desk, noun: str) -> None:
    page = text(dave.get(f"credits/{noun}/"))

    assert 'name="action"' not in page
    assert "_selected_action" not in page


def test_no_money_moves_by_a_link_however_complete(
    rows: dict[str, str], books: Books, dave: Desk, alice: Account
) -> None:
    asked = {"amount": "5", "reason": "goodwill", "note": "n", "ticket": "T", "to": "bob"}
    signed = confirmation(dave.press(alice, "adjust", **asked))
    before = books()

    for name in OF_ACCOUNT:
        query = urlencode({**asked, "confirmation": signed, "confirm": "1"})
        dave.get(f"credits/account/{alice.pk}/{name}/?{query}")

    assert books() == before


def test_no_post_goes_without_a_token(rows: dict[str, str], books: Books, dave: Desk) -> None:
    strict, before = Client(enforce_csrf_checks=True), books()
    strict.force_login(dave.user)

    for each in PAGES | POSTS:
        assert strict.post(f"/admin/{filled(each, rows)}", {"amount": "5"}).status_code == 403, each
    assert books() == before


def test_strangers_are_asked_to_sign_in(rows: dict[str, str]) -> None:
    client = Client()

    for each in PAGES | POSTS:
        for answer in (client.get(f"/admin/{filled(each, rows)}"), client.post(f"/admin/{filled(each, rows)}")):
            assert answer.status_code == 302, each
            assert "/admin/login/" in answer["Location"], each
