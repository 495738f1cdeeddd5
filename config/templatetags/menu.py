"""What the sidebar calls a page, so that the page is called the same."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.text import capfirst

from config.unfold import UNFOLD

register = template.Library()


@register.filter
def called(address: object, otherwise: Any = "") -> str:
    """Return the sidebar's words for a list, by its address; where it has none, those given."""
    for group in UNFOLD["SIDEBAR"]["navigation"]:
        for item in group["items"]:
            if str(item["link"]) == str(address):
                return str(item["title"])
    return str(capfirst(otherwise))
