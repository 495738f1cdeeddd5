"""Lists are filtered by what they offer, and by nothing else of a row: ?pk__regex=( is for the database to choke on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.core.exceptions import FieldDoesNotExist
from django.http import HttpRequest

WAYS = {"exact", "isnull"}


class Offered:
    """A list that refuses every filter but its own and those of links to it, which ``linked_by`` names."""

    linked_by: tuple[str, ...] = ()

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Tell whether a filter of the list asks so. What names nothing of a row is left to Django, which drops it."""
        admin: Any = self
        offered = {*self.linked_by, *_offered(admin.get_list_filter(request))}
        if lookup in offered or ("__" not in lookup and not _names_a_field(admin.model, lookup)):
            return True
        path, _, way = lookup.rpartition("__")
        return way in WAYS and any(path == each or path.startswith(f"{each}__") for each in offered)


def _offered(filters: Any) -> Iterator[str]:
    """Return what each filter is called in an address, or which field it looks at."""
    for each in filters:
        if isinstance(each, type) and issubclass(each, SimpleListFilter):
            yield str(each.parameter_name)
        else:
            yield each if isinstance(each, str) else each[0]


def _names_a_field(model: Any, name: str) -> bool:
    try:
        model._meta.get_field(name)
    except FieldDoesNotExist:
        return name == "pk"
    return True
