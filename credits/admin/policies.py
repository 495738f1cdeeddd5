"""Who may do what, by name. Each policy is its truth table; tests/admin/test_policies.py is that table again."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from django.http import HttpRequest

from credits.admin.logged import Logged


def roles_that_may(right: str) -> list[str]:
    """Return the names of the roles that have a permission; one that names no app is of this one."""
    *app, codename = right.split(".")
    label = app[0] if app else "credits"
    named = Group.objects.filter(permissions__codename=codename, permissions__content_type__app_label=label)
    return list(named.order_by("name").values_list("name", flat=True))


class Kept(Logged):
    """May never be deleted, one by one or as a selection.

    ========== =================
    who        delete, actions
    ========== =================
    anybody    no
    ========== =================
    """

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}


class ReadOnly(Kept):
    """May be seen by those who have the permission, and changed by nobody: not even a superuser.

    ================== ====== ====================
    who                view   add, change, delete
    ================== ====== ====================
    superuser          yes    no
    staff who may view yes    no
    other staff        no     no
    ================== ====== ====================
    """

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
