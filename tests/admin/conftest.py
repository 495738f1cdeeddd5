"""Staff at their browsers."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from credits.models import Account

VERBS = ("adjust_account", "grant_credits", "refund_transaction", "freeze_account", "change_account")
QUOTA_VERBS = ("change_quota", "override_quota", "reset_quota")


class Desk:
    """A browser in which somebody has logged in. ``may`` are codenames of permissions."""

    def __init__(self, name: str, *may: str, superuser: bool = False) -> None:
        self.user = User.objects.create_user(name, is_staff=True, is_superuser=superuser)
        self.user.user_permissions.set(Permission.objects.filter(codename__in=may))
        assert self.user.user_permissions.count() == len(may)
        self.client = Client()
        self.client.force_login(self.user)

    def get(self, path: str) -> Any:
        return self.client.get(f"/admin/{path}")

    def post(self, path: str, **fields: Any) -> Any:
        return self.client.post(f"/admin/{path}", {name: value for name, value in fields.items() if value is not None})

    def press(self, account: Account, verb: str, **fields: Any) -> Any:
        """Fill in the form of a verb and return the answer: the preview, or the form again."""
        return self.post(verb_path(account, verb), **fields)

    def confirm(self, account: Account, verb: str, **fields: Any) -> Any:
        """Fill in the form and confirm the preview."""
        preview = self.press(account, verb, **fields)
        return self.press(account, verb, **fields, confirmation=confirmation(preview))


def staff(name: str, role: str) -> Desk:
    desk = Desk(name)
    desk.user.groups.set(Group.objects.filter(name=role))
    return desk


def verb_path(account: Account, verb: str) -> str:
    return f"credits/account/{account.pk}/{verb}/"


def text(answer: Any) -> str:
    return str(answer.content.decode())


def confirmation(preview: Any) -> str:
    found = re.search(r'name="confirmation" value="([^"]+)"', text(preview))
    assert found, text(preview)
    return found[1]


@pytest.fixture
def dave(database: None) -> Desk:
    """The superuser."""
    return Desk("dave", superuser=True)


@pytest.fixture
def carol(database: None) -> Desk:
    """Support: sees accounts and has every verb."""
    return Desk("carol", "view_account", "view_transaction", "view_grant", "view_hold", *VERBS, *QUOTA_VERBS)


@pytest.fixture
def eve(database: None) -> Desk:
    """Staff without rights."""
    return Desk("eve")


@pytest.fixture
def sam(database: None) -> Desk:
    return staff("sam", "Support")


@pytest.fixture
def lea(database: None) -> Desk:
    return staff("lea", "Support lead")
