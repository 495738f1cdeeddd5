"""The policies' truth tables, and that nothing gets past them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.test import RequestFactory

from credits.admin.policies import Kept, ReadOnly
from credits.models import Account, ApiKey, Feature, Grant, Hold, Price, TaskRun, Transaction, Unit, UnpricedUsage
from credits.services.runs import run_job
from tests.admin.conftest import Desk
from tests.books import Books
from tests.factories import hold, unpriced

READ_ONLY = [Account, Transaction, Grant, Hold, Price, TaskRun, UnpricedUsage]
ASKED = ("view", "add", "change", "delete")


def permissions(model: Any, user: User) -> tuple[bool, ...]:
    request = RequestFactory().get("/")
    request.user = user
    page = admin.site._registry[model]
    return tuple(getattr(page, f"has_{what}_permission")(request) for what in ASKED)


def somebody(*, superuser: bool = False, may: tuple[str, ...] = (), model: Any = None) -> User:
    user = User.objects.create_user("somebody", is_staff=True, is_superuser=superuser)
    codenames = [f"{what}_{model._meta.model_name}" for what in may]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


@pytest.mark.parametrize("model", READ_ONLY)
@pytest.mark.parametrize(
    ("superuser", "may", "expected"),
    [
        (True, (), (True, False, False, False)),
        (False, ASKED, (True, False, False, False)),
        (False, ("view",), (True, False, False, False)),
        (False, (), (False, False, False, False)),
    ],
)
def test_read_only(
    database: None, model: Any, superuser: bool, may: tuple[str, ...], expected: tuple[bool, ...]
) -> None:
    assert permissions(model, somebody(superuser=superuser, may=may, model=model)) == expected


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (Unit, (True, True, True, False)),
        (Feature, (True, True, True, False)),
        (ApiKey, (True, True, False, False)),
    ],
)
def test_kept(database: None, model: Any, expected: tuple[bool, ...]) -> None:
    assert permissions(model, somebody(superuser=True)) == expected
    assert isinstance(admin.site._registry[model], Kept)


@pytest.mark.parametrize("model", READ_ONLY)
def test_there_are_no_actions_on_selections(database: None, model: Any) -> None:
    request = RequestFactory().get("/")
    request.user = somebody(superuser=True)
    page: Any = admin.site._registry[model]

    assert isinstance(page, ReadOnly)
    assert page.get_actions(request) == {}


@pytest.mark.parametrize("model", READ_ONLY)
def test_not_even_a_superuser_gets_past_by_url(dave: Desk, alice: Account, books: Books, model: Any) -> None:
    hold(alice, 5)
    run_job("sweep", lambda: 0)
    unpriced(alice)
    before = books()
    pk = model.objects.values_list("pk", flat=True).first()
    name = model._meta.model_name

    assert dave.get(f"credits/{name}/add/").status_code == 403
    assert dave.post(f"credits/{name}/add/", amount="5").status_code == 403
    assert dave.post(f"credits/{name}/{pk}/change/", amount="5", _save="1").status_code == 403
    assert dave.get(f"credits/{name}/{pk}/delete/").status_code == 403
    assert dave.post(f"credits/{name}/{pk}/delete/", post="yes").status_code == 403
    dave.post(f"credits/{name}/", action="delete_selected", _selected_action=str(pk), post="yes")
    assert books() == before


def test_checking_the_code_asks_no_database() -> None:
    # pytest-django refuses any query here. One would keep an empty database from ever being migrated.
    assert admin.site.check(None) == []
