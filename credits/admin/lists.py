"""Lists of tables that grow without end: no full counts, no query for a row, no filter that outlasts patience."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg.errors
from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import OperationalError
from django.db.models import QuerySet
from django.db.models.functions import Upper
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.functional import cached_property
from unfold.contrib.filters.admin import RangeDateFilter, TextFilter
from unfold.views import ChangeList

from credits.admin.forms import DayField
from credits.admin.lookups import Offered
from credits.models import Account

# Nobody turns two hundred pages; a filter or the search leads further.
MOST_COUNTED = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts to ten thousand and then says "more", so a list of a billion rows opens like one of a hundred."""

    template_name = "admin/credits/pagination.html"

    @cached_property
    def counted(self) -> int:
        """How many rows there are, as far as they were counted."""
        rows: Any = self.object_list
        return int(rows.order_by().values("pk")[: MOST_COUNTED + 1].count())

    @cached_property
    def count(self) -> int:
        return min(self.counted, MOST_COUNTED)

    @property
    def more(self) -> bool:
        """Whether there are more rows than were counted."""
        return self.counted > MOST_COUNTED

    @cached_property
    def num_pages(self) -> int:
        return max(1, math.ceil(self.count / self.per_page))

    def nearest(self, number: int) -> int:
        """Return the page that there is, nearest to the one that is asked for."""
        return min(max(number, 1), self.num_pages)

    def page(self, number: Any) -> Any:
        """Return a page. Past the end it is the last: Django's list would forget every filter there."""
        return super().page(self.nearest(int(number)))


class BoundedChangeList(ChangeList):  # type: ignore[misc]
    page_num: int

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.page_num = self.paginator.nearest(self.page_num)
        # The header would show the count again; the foot of the list says it, and says where counting ended.
        self.full_result_count = self.result_count


class Bounded(Offered):
    """A list that neither counts everything nor waits for ever."""

    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 0
    list_filter_submit = True
    show_facets = ShowFacets.NEVER
    sortable_by: tuple[str, ...] = ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return BoundedChangeList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list. Where no index serves a filter and the database gives up, say what to narrow."""
        try:
            answer: HttpResponse = super().changelist_view(  # type: ignore[misc]
                request, {**(extra_context or {}), "of_account": accounts_named(request.GET.get("account", ""))[:1]}
            )
        except OperationalError as error:
            if not isinstance(error.__cause__, psycopg.errors.QueryCanceled) or not request.GET:
                raise
            messages.error(request, "That took too long over the whole table. Narrow it by an account or dates.")
            return HttpResponseRedirect(request.path)
        return answer


def accounts_named(text: str) -> list[Account]:
    """Return the accounts with this id or this external id."""
    text = text.replace("\x00", "").strip()
    if not text:
        return []
    if (pk := as_uuid(text)) and (found := list(Account.objects.filter(pk=pk))):
        return found
    upper = Account.objects.annotate(upper=Upper("external_id")).filter(upper=text.upper())
    return list(upper.filter(external_id=text)[:20])


def as_uuid(text: str) -> UUID | None:
    """Return the id a text spells, if it does."""
    try:
        return UUID(text.strip())
    except ValueError:
        return None


class OfAccount(TextFilter):  # type: ignore[misc]
    """The rows of one owner."""

    title = "account (external id)"
    parameter_name = "account"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        return queryset.filter(account_id__in=[account.pk for account in accounts_named(self.value())])


class Days(RangeDateFilter):  # type: ignore[misc]
    """From a day to a day, both included."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.misread(request):
            return queryset.none()
        first = self._day("from")
        last = self._day("to")
        if first:
            queryset = queryset.filter(**{f"{self.field_path}__gte": first})
        if last:
            queryset = queryset.filter(**{f"{self.field_path}__lt": last + timedelta(days=1)})
        return queryset

    def asked(self, end: str) -> str:
        """Return what was asked for as the first or the last day."""
        return str(self.used_parameters.get(f"{self.parameter_name}_{end}") or "").strip()

    def misread(self, request: HttpRequest) -> bool:
        """Tell whether a day is none, and say so: a list of other days than were meant misleads."""
        for text in filter(None, map(self.asked, ("from", "to"))):
            try:
                DayField().to_python(text)
            except ValidationError as error:
                messages.error(request, f"“{text[:40]}” is no day. {error.message}")
                return True
        return False

    def _day(self, end: str) -> datetime | None:
        text = self.asked(end)
        day = date.fromisoformat(text) if text else None
        if day is None or not date(1970, 1, 1) < day < date(9999, 1, 1):
            return None
        return timezone.make_aware(datetime(day.year, day.month, day.day))  # noqa: DTZ001  # made aware here


class OwnDays(Days):
    """From a day to a day of the accounts' own, both included, as totals are summed by them."""

    def __init__(self, *asked: Any, **more: Any) -> None:
        super().__init__(*asked, **more)
        self.title = "the account's own day"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.misread(request):
            return queryset.none()
        # Wherever an account is, its day is within a day of UTC's: moments are what there is an index of.
        if first := self._day("from"):
            since = first - timedelta(days=1)
            queryset = queryset.filter(**{f"{self.field_path}__gte": first.date(), "recorded_at__gte": since})
        if last := self._day("to"):
            until = last + timedelta(days=2)
            queryset = queryset.filter(**{f"{self.field_path}__lte": last.date(), "recorded_at__lt": until})
        return queryset
