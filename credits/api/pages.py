"""Lists in pages: ?limit= and an opaque ?cursor=, so that a page costs the same however far in it lies."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from credits.refusals import InvalidField


class Pages(CursorPagination):
    """Newest first; ids of transactions, lots and holds grow with time."""

    page_size = 50
    max_page_size = 500
    page_size_query_param = "limit"
    ordering = "-id"

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        """Return a page. Raises InvalidField for a cursor that is none of ours."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValidationError, ValueError, TypeError):
            raise InvalidField("cursor", "This is no cursor of this list.") from None


class AccountPages(Pages):
    """Newest first by when they were opened: an account's id is derived from its owner."""

    ordering = ("-created_at", "id")  # type: ignore[assignment]


class FeaturePages(Pages):
    """By code."""

    ordering = "code"


class TransactionPages(Pages):
    """Newest first: by id over all accounts, by number within an owner's, each as an index has them."""

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> tuple[str, ...]:
        """Return the order of the page."""
        return ("-sequence",) if "account" in request.query_params else ("-id",)
