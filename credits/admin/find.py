"""One box that finds anything: each finder looks its own up by an index, for those who may see it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import UUID

from django.contrib import admin
from django.contrib.postgres.search import SearchQuery, SearchVector
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from credits.admin import desk, show
from credits.admin.desk import Finder, Hit
from credits.admin.lists import as_uuid
from credits.models import Account, ApiKey, Grant, Hold, IdempotencyRecord, Transaction, Unit
from credits.models.accounts import account_id

MOST = 10
LONGEST = 255


def page(request: HttpRequest) -> HttpResponse:
    """Answer the box: one exact hit leads to its page, anything else is listed by kind."""
    if not (request.user.is_active and request.user.is_staff):
        raise PermissionDenied
    term = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST]
    hits = found(request, term) if term else []
    exact = [hit for hit in hits if hit.exact]
    for links in ({hit.link for hit in exact if not hit.reference}, {hit.link for hit in exact}):
        if len(links) == 1:
            return HttpResponseRedirect(links.pop())
    if len(hits) == 1:
        return HttpResponseRedirect(hits[0].link)
    groups: dict[str, list[Hit]] = {}
    for hit in hits:
        groups.setdefault(hit.kind, []).append(hit)
    context = {**admin.site.each_context(request), "title": "Find", "term": term, "groups": groups}
    return TemplateResponse(request, "admin/credits/find.html", context)


def found(request: HttpRequest, term: str) -> list[Hit]:
    """Return what the user may see of what a term finds; where something is called just that, it goes first."""
    hits: dict[str, Hit] = {}
    for finder in desk.finders(request):
        for hit in finder.find(term):
            hits.setdefault(f"{hit.kind} {hit.link}", hit)
    return sorted(hits.values(), key=lambda hit: not hit.exact)


def _accounts(term: str) -> Iterator[Hit]:
    pk = as_uuid(term)
    derived = [account_id(term, unit) for unit in Unit.objects.values_list("pk", flat=True)]
    exact = list(Account.objects.filter(pk__in=[*derived, *([pk] if pk else [])])[:MOST])
    yield from (_account(row, exact=True) for row in exact)
    if len(term) < 2:
        return
    either = (Q(external_id__istartswith=term), Q(email__istartswith=term), Q(name__istartswith=term))
    others = Account.objects.exclude(pk__in=[one.pk for one in exact]).order_by()
    for prefix in either:
        # One index each: together they would be a scan.
        for row in others.filter(prefix)[:MOST]:
            yield _account(row, exact=row.email.lower() == term.lower())
    if words := _words(term):
        for row in others.alias(words=SearchVector("name", config="simple")).filter(words=words)[:MOST]:
            yield _account(row, exact=False)


def _words(term: str) -> SearchQuery | None:
    """Return what finds names with words that begin like these; nothing for what half of all names begin with."""
    words = re.findall(r"\w+", term)
    if not any(len(word) > 2 for word in words):
        return None
    return SearchQuery(" & ".join(f"{word}:*" for word in words), config="simple", search_type="raw")


def _account(row: Account, *, exact: bool) -> Hit:
    note = " · ".join(filter(None, (row.name, row.email, f"{show.amount(row.balance, row.unit_id)} {row.unit_id}")))
    return Hit("Accounts", row.external_id, show.page_of(Account, row.pk), note, exact)


def _movements(term: str) -> Iterator[Hit]:
    pk = as_uuid(term)
    rows: dict[UUID, Transaction] = {}
    if pk:
        rows |= {row.pk: row for row in Transaction.objects.filter(pk=pk).select_related("account")}
    for name in ("reference_id", "request_id"):
        named = Transaction.objects.filter(~Q(**{name: ""}), **{name: term}).select_related("account")
        rows |= {row.pk: row for row in named.order_by()[:MOST]}
    for row in rows.values():
        reference = f"{row.reference_type} {row.reference_id}".strip()
        note = " · ".join(filter(None, (row.account.external_id, show.utc(row.recorded_at), reference)))
        link = show.page_of(Transaction, row.pk)
        yield Hit("Movements", f"{row} {row.account.unit_id}", link, note, exact=True, reference=row.pk != pk)


def _holds(term: str) -> Iterator[Hit]:
    if pk := as_uuid(term):
        for row in Hold.objects.filter(pk=pk).select_related("account"):
            yield Hit("Holds", str(row), show.page_of(Hold, row.pk), row.account.external_id, exact=True)


def _lots(term: str) -> Iterator[Hit]:
    if pk := as_uuid(term):
        for row in Grant.objects.filter(pk=pk).select_related("account"):
            yield Hit("Lots", str(row), show.page_of(Grant, row.pk), row.account.external_id, exact=True)


def _keys(term: str) -> Iterator[Hit]:
    # Who pastes a whole key finds it by its visible beginning; the rest is looked at by nobody.
    prefix_length = 12
    rows = ApiKey.objects.filter(Q(prefix=term[:prefix_length]) | Q(name=term)) if len(term) > 3 else []
    for row in rows:
        yield Hit("API keys", row.name, show.page_of(ApiKey, row.pk), f"{row.prefix}…, of {row.owner}", exact=True)


def _replies(term: str) -> Iterator[Hit]:
    owners = list(ApiKey.objects.order_by().values_list("owner", flat=True).distinct()[:1000])
    rows = IdempotencyRecord.objects.filter(owner__in=owners, key=term)[:MOST]
    for row in rows:
        if row.account_id is None:
            continue
        note = f"of {row.owner}: answered {row.status} at {show.utc(row.created_at)}"
        yield Hit("Idempotency keys", row.key, show.page_of(Account, row.account_id), note, exact=True)


desk.register(
    Finder("credits.view_account", _accounts),
    Finder("credits.view_transaction", _movements),
    Finder("credits.view_hold", _holds),
    Finder("credits.view_grant", _lots),
    Finder("credits.view_apikey", _keys),
    Finder("credits.view_account", _replies),
)
