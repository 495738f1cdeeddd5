"""What the sidebar calls a page and what it stands under, so that the page says the same."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.text import capfirst

from config.unfold import UNFOLD

register = template.Library()


@register.filter
def called(address: object, otherwise: Any = "") -> str:
    """Return the sidebar's words for a list, by its address; where it has none, those given."""
    return _found(address)[1] or str(capfirst(otherwise))


@register.filter
def stands_under(address: object, otherwise: Any = "") -> str:
    """Return what a list stands under in the sidebar, by its address; where it has none, the words given."""
    return _found(address)[0] or str(capfirst(otherwise))


def _found(address: object) -> tuple[str, str]:
    for group in UNFOLD["SIDEBAR"]["navigation"]:
        for item in group["items"]:
            if str(item["link"]) == str(address):
                return str(group["title"]), str(item["title"])
    return "", ""
