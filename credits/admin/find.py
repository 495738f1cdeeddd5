"""One box that finds anything: each finder looks its own up by an index, for those who may see it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.html import format_html_join

from credits.admin import desk, show
from credits.admin.desk import Finder, Hit
from credits.admin.lists import as_uuid
from credits.admin.policies import roles_that_may
from credits.admin.words import words_of
from credits.models import (
    Account,
    ApiKey,
    ApprovalRequest,
    BulkAdjustment,
    BulkLine,
    Grant,
    Hold,
    StaffAct,
    Transaction,
    Unit,
)
from credits.models.accounts import WORDS, account_id

MOST = 10
LONGEST = 255
# A whole key: its visible beginning, and what nobody is to read.
KEY = re.compile(r"(flr_\w{8})_.+")
# A reference as it is told: order FL-4242, or order:FL-4242.
TYPED = re.compile(r"([\w.-]{1,50})(?::| )(.+)")


def page(request: HttpRequest) -> HttpResponse:
    """Answer the box: one exact hit leads to its page, anything else is listed by kind."""
    if not (request.user.is_active and request.user.is_staff):
        raise PermissionDenied
    term = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST]
    if key := KEY.fullmatch(term):
        # The address of a page is kept by browsers, and read over shoulders.
        return HttpResponseRedirect(f"{request.path}?{urlencode({'q': key[1]})}")
    hits = found(request, term) if term else []
    exact = [hit for hit in hits if hit.exact]
    linked = [hit for hit in exact if hit.link]
    for links in ({hit.link for hit in linked if not hit.reference}, {hit.link for hit in linked}):
        if len(links) == 1:
            return HttpResponseRedirect(links.pop())
    if len(hits) == 1 and hits[0].link:
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
            hits.setdefault(f"{hit.kind} {hit.link or hit.title}", hit)
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
    if words := words_of(term):
        for row in others.alias(words=WORDS).filter(words=words)[:MOST]:
            yield _account(row, exact=False)


def _account(row: Account, *, exact: bool) -> Hit:
    facts = (row.name, row.email, f"{show.amount(row.balance, row.unit_id)} {row.unit_id}")
    note = format_html_join(" · ", "{}", ((show.apart(fact),) for fact in facts if fact))
    return Hit("Accounts", row.external_id, show.page_of(Account, row.pk), note, exact)


def _movements(term: str) -> Iterator[Hit]:
    pk = as_uuid(term)
    rows: dict[UUID, Transaction] = {}
    if pk:
        rows |= {row.pk: row for row in Transaction.objects.filter(pk=pk).select_related("account")}
    for name in ("reference_id", "request_id"):
        named = Transaction.objects.filter(~Q(**{name: ""}), **{name: term}).select_related("account")
        rows |= {row.pk: row for row in named.order_by()[:MOST]}
    if typed := TYPED.fullmatch(term):
        named = Transaction.objects.filter(reference_type=typed[1], reference_id=typed[2]).exclude(reference_id="")
        rows |= {row.pk: row for row in named.select_related("account").order_by()[:MOST]}
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
    rows = ApiKey.objects.filter(Q(prefix=term) | Q(name=term)) if len(term) > 3 else []
    for row in rows:
        yield Hit("API keys", row.name, show.page_of(ApiKey, row.pk), f"{row.prefix}…, of {row.owner}", exact=True)


def _hidden_keys(term: str) -> Iterator[Hit]:
    """Tell that there is a key, whose it is and who may see it, to those who may not."""
    for row in ApiKey.objects.filter(prefix=term):
        account = Account.objects.filter(external_id=row.owner).order_by("created_at").first()
        link = show.page_of(Account, account.pk) if account else ""
        may = " and ".join(roles_that_may("view_apikey")) or "superusers"
        state = "revoked" if row.revoked_at else "known"
        note = f"{row.name}, of {row.owner}: {state}. More of it is for {may} to see."
        yield Hit("API keys", f"{row.prefix}…", link, note, exact=True, reference=True)


def _tickets(term: str) -> Iterator[Hit]:
    """Find the accounts that something was done about for a ticket."""
    acts = StaffAct.objects.filter(~Q(ticket=""), ticket=term, account__isnull=False).select_related("account")
    for act in acts.order_by("-id")[:MOST]:
        if act.account is not None:
            note = f"{act.what[:120]} {show.utc(act.at)}"
            link = show.page_of(Account, act.account.pk)
            yield Hit("Accounts of the ticket", act.account.external_id, link, note, exact=True, reference=True)


def _bulk_tickets(term: str) -> Iterator[Hit]:
    """Find the accounts that a bulk moved for a ticket, for those who may not see bulks."""
    lines = BulkLine.objects.filter(bulk__in=BulkAdjustment.objects.filter(~Q(ticket=""), ticket=term))
    for line in lines.filter(account__isnull=False).select_related("account", "bulk").order_by("pk")[:MOST]:
        if line.account is not None:
            note = f"{line.bulk.get_status_display()}: a bulk adjustment by {line.bulk.actor_name}"
            link = show.page_of(Account, line.account.pk)
            yield Hit("Accounts of the ticket", line.account.external_id, link, note, exact=True, reference=True)


def _acts(term: str) -> Iterator[Hit]:
    """Find what staff did for a ticket, or with a request."""
    for name in ("ticket", "request_id"):
        for act in StaffAct.objects.filter(~Q(**{name: ""}), **{name: term}).order_by("-id")[:MOST]:
            note = f"by {act.actor_name}, {show.utc(act.at)}"
            yield Hit("Staff acts", act.what[:120], show.page_of(StaffAct, act.pk), note, exact=True)


def _approvals(term: str) -> Iterator[Hit]:
    """Find what was asked for with a ticket."""
    for row in ApprovalRequest.objects.filter(~Q(ticket=""), ticket=term).order_by("-id")[:MOST]:
        note = f"{row.get_status_display()}, {show.utc(row.asked_at)}"
        yield Hit("Approvals", str(row), show.page_of(ApprovalRequest, row.pk), note, exact=True)


def _bulks(term: str) -> Iterator[Hit]:
    """Find the bulk adjustments of a ticket."""
    for row in BulkAdjustment.objects.filter(~Q(ticket=""), ticket=term).order_by("-id")[:MOST]:
        note = f"{row.get_status_display()}, by {row.actor_name}"
        yield Hit("Bulk adjustments", str(row), show.page_of(BulkAdjustment, row.pk), note, exact=True)


desk.register(
    Finder("credits.view_account", _accounts),
    Finder("credits.view_transaction", _movements),
    Finder("credits.view_hold", _holds),
    Finder("credits.view_grant", _lots),
    Finder("credits.view_apikey", _keys),
    Finder("credits.view_account", _hidden_keys, lacking="credits.view_apikey"),
    Finder("credits.view_staffact", _acts),
    Finder("credits.view_account", _tickets, lacking="credits.view_staffact"),
    Finder("credits.view_account", _bulk_tickets, lacking="credits.view_bulkadjustment"),
    Finder("credits.view_approvalrequest", _approvals),
    Finder("credits.view_bulkadjustment", _bulks),
)
