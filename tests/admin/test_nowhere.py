"""What staff sees where it may not go, or where there is nothing: the desk's own page, which says who can help."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from credits.models import Account
from tests.admin.conftest import Desk, text, verb_path


@pytest.fixture
def sam(database: None) -> Client:
    client, user = Client(), User.objects.create_user("sam", is_staff=True)
    user.groups.set(Group.objects.filter(name="Support"))
    client.force_login(user)
    return client


def refused(answer: Any) -> str:
    assert answer.status_code == 403
    page = text(answer)
    assert "Not for your role" in page
    assert "A superuser can give you a role that may, under Users." in page
    return page


def test_a_list_that_is_not_for_a_role_says_which_right_it_takes(eve: Desk) -> None:
    page = refused(eve.get("credits/transaction/"))

    assert 'id="nav-sidebar"' in page
    assert "You are signed in as eve" in page
    assert "It takes the right “Can view movement”, which Auditor, Engineer, " in page


def test_a_button_that_is_not_for_a_role_says_which_right_it_takes(eve: Desk, bob: Account) -> None:
    assert "“Can adjust a balance”" in refused(eve.get(verb_path(bob, "adjust")))


def test_a_button_of_a_row_says_it_too(sam: Client, bob: Account) -> None:
    assert "“Can refund a payment through the provider”" in refused(sam.get("/admin/billing/payment/1/refund/"))


def test_where_no_right_is_missing_none_is_named(dave: Desk) -> None:
    page = refused(dave.get("credits/transaction/add/"))

    assert "It takes the right" not in page


@pytest.mark.parametrize("path", ["nothing/", "credits/nothing/"])
def test_where_there_is_nothing_the_desk_says_so(eve: Desk, path: str) -> None:
    answer = eve.get(path)

    assert answer.status_code == 404
    assert "Nothing is here" in text(answer)
    assert 'id="nav-sidebar"' in text(answer)


def test_a_stranger_sees_a_plain_page(client: Client, database: None) -> None:
    answer = client.get("/nothing/")

    assert answer.status_code == 404
    assert "credits/admin" in text(answer)
    assert 'id="nav-sidebar"' not in text(answer)
