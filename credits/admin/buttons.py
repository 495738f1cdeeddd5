"""unfold's buttons, typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from unfold.decorators import action
from unfold.enums import ActionVariant

View = TypeVar("View", bound=Callable[..., Any])


def button(text: str, *, path: str, icon: str, permission: str, danger: bool = False) -> Callable[[View], View]:
    """Make a view of a row a button on its page, for those who have the permission. Others get a 403.

    ``permission`` names the admin's method ``has_…_permission``. Named as app.codename instead, unfold would look it up
    in the database while Django checks the code, and no empty database could be migrated.
    """
    variant = ActionVariant.DANGER if danger else ActionVariant.DEFAULT
    return cast(
        "Callable[[View], View]",
        action(description=text, url_path=path, icon=icon, permissions=[permission], variant=variant),
    )
