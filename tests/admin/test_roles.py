"""Which role may open which page and press which button. A page that is new and stands in no table fails here."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.test import Client

from config.roles import ROLES
from credits.admin.accounts import BY_PATH
from credits.admin.desk import all_reports
from credits.models import Account
from tests.admin.conftest import Desk, text, verb_path
from tests.books import Books

S, L, F, E, A = "Support", "Support lead", "Finance", "Engineer", "Auditor"
EVERYBODY = {S, L, F, E, A}
LISTS = {
    "credits/account/": EVERYBODY,
    "credits/transaction/": EVERYBODY,
    "credits/grant/": EVERYBODY,
    "credits/hold/": EVERYBODY,
    "credits/event/": EVERYBODY,
    "credits/feature/": EVERYBODY,
    "credits/price/": EVERYBODY,
    "credits/unit/": EVERYBODY,
    "credits/unpricedusage/": EVERYBODY,
    "credits/apikey/": {E, A},
    "credits/taskrun/": {L, F, E, A},
    "credits/staffact/": {L, F, E, A},
    "credits/staffcap/": EVERYBODY,
    "credits/approvalrequest/": EVERYBODY,
    "credits/bulkadjustment/": {L, F, A},
    "subscriptions/plan/": EVERYBODY,
    "subscriptions/planversion/": EVERYBODY,
    "subscriptions/subscription/": EVERYBODY,
    "billing/payment/": EVERYBODY,
    "billing/invoice/": EVERYBODY,
    "billing/refundorder/": EVERYBODY,
    "billing/refund/": EVERYBODY,
    "billing/dispute/": EVERYBODY,
    "billing/pack/": EVERYBODY,
    "billing/planprice/": EVERYBODY,
    "billing/difference/": EVERYBODY,
    "billing/autotopup/": EVERYBODY,
    "billing/straysubscription/": EVERYBODY,
    "billing/providerevent/": EVERYBODY,
    "billing/webhookendpoint/": {S, L, E, A},
    "billing/webhookdelivery/": {S, L, E, A},
    "billing/notice/": EVERYBODY,
    "billing/noticeaddress/": EVERYBODY,
    "billing/deadletter/": {L, F, E, A},
    "auth/user/": {A},
    "auth/group/": {A},
    "django_celery_beat/periodictask/": {E, A},
    "django_celery_beat/intervalschedule/": {E, A},
    "django_celery_beat/crontabschedule/": {E, A},
    "django_celery_beat/solarschedule/": set(),
    "django_celery_beat/clockedschedule/": set(),
}
REPORTS = {
    "trial-balance": EVERYBODY,
    "liability": EVERYBODY,
    "revenue": EVERYBODY,
    "earned": EVERYBODY,
    "deferred": EVERYBODY,
    "credits": EVERYBODY,
    "usage": EVERYBODY,
    "movements": EVERYBODY,
}
FORMS = {
    "credits/price/new/": {F},
    "credits/price/import/": {F},
    "credits/unpricedusage/rate-all/": {F},
    "credits/feature/add/": {F},
    "billing/pack/new/": {F},
    "billing/planprice/new/": {F},
    "credits/bulkadjustment/upload/": {L, F},
    "billing/webhookendpoint/new/": {L},
    "credits/apikey/add/": set[str](),
    "credits/staffcap/add/": set[str](),
    "auth/user/add/": set[str](),
    "auth/group/add/": set[str](),
    "django_celery_beat/periodictask/add/": set[str](),
}
VERBS = {
    "adjust": {S, L, F},
    "grant": {S, L},
    "refund": {S, L, F},
    "freeze": {L, F},
    "unfreeze": {L, F},
    "edit": {L},
    "set-quota": {L},
    "override-quota": {S, L},
    "end-override": {S, L},
    "reset-quota": {S, L},
}


def desk_of(role: str) -> Desk:
    desk = Desk("somebody")
    desk.user.groups.set(Group.objects.filter(name=role))
    return desk


def test_the_tables_are_whole() -> None:
    models = {f"{model._meta.app_label}/{model._meta.model_name}/" for model in admin.site._registry}

    assert models == set(LISTS)
    assert set(VERBS) == set(BY_PATH)
    assert set(REPORTS) == {each.name for each in all_reports()}
    assert set(ROLES) == EVERYBODY


@pytest.mark.parametrize("role", sorted(EVERYBODY))
def test_a_role_has_what_its_migration_gives(database: None, role: str) -> None:
    user = User.objects.create_user("somebody")
    user.groups.set(Group.objects.filter(name=role))

    assert user.get_all_permissions() == ROLES[role]


@pytest.mark.parametrize("role", [E, A])
def test_who_only_looks_has_nothing_but_permissions_to_view(role: str) -> None:
    assert {name for name in ROLES[role] if not name.split(".")[1].startswith("view_")} == set()


@pytest.mark.parametrize("role", [*sorted(EVERYBODY), "no role"])
def test_pages_open_for_whom_they_should(database: None, role: str) -> None:
    desk = desk_of(role)
    pages = LISTS | FORMS

    opened = {page for page in pages if desk.get(page).status_code == 200}
    refused = {page for page in pages if desk.get(page).status_code == 403}
    assert opened == {page for page, roles in pages.items() if role in roles}
    assert refused == set(pages) - opened


@pytest.mark.parametrize("role", [*sorted(EVERYBODY), "no role"])
def test_reports_open_for_whom_they_should(database: None, role: str) -> None:
    desk = desk_of(role)

    for how in ("", "?format=csv"):
        opened = {name for name in REPORTS if desk.get(f"reports/{name}/{how}").status_code == 200}
        assert opened == {name for name, roles in REPORTS.items() if role in roles}


@pytest.mark.parametrize("role", [*sorted(EVERYBODY), "no role"])
def test_buttons_are_for_whom_they_should_be(alice: Account, books: Books, role: str) -> None:
    desk, before = desk_of(role), books()

    for verb, roles in VERBS.items():
        expected = 200 if role in roles else 403
        assert desk.get(verb_path(alice, verb)).status_code == expected, verb
        if role not in roles:
            assert desk.press(alice, verb, amount="5", reason="goodwill", note="n").status_code == 403, verb
    assert books() == before


def test_whoever_is_not_signed_in_is_asked_to(alice: Account) -> None:
    client = Client()

    for page in [*LISTS, *FORMS, *(verb_path(alice, verb) for verb in VERBS)]:
        answer = client.get(f"/admin/{page}")
        assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/admin/login/"), page


def test_a_refusal_says_why(alice: Account) -> None:
    page = text(desk_of(E).get(verb_path(alice, "adjust")))

    assert "signed in as somebody" in page
    assert "none of your" in page
    assert "Nothing was changed." in page
