"""What a request with an Idempotency-Key was answered: found by its key or, where it was refused, by its request id."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from credits.admin import desk, show
from credits.models import Account, ApiKey, IdempotencyRecord, Transaction

MOST = 10
REFUSED = 400
UUIDS = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
# How long before or after a movement was written the answer may have been kept.
APART = timedelta(seconds=10)


def page(request: HttpRequest) -> HttpResponse:
    """Show what was asked under a key and answered, to whoever may see accounts."""
    if not request.user.has_perm("credits.view_account"):
        raise PermissionDenied
    named = {name: request.GET.get(name, "").replace("\0", "") for name in ("owner", "key")}
    # What staff confirmed is kept under owners of its own, which have no keys.
    row = IdempotencyRecord.objects.filter(**named).first() if named["owner"] in _owners() else None
    context = {
        **admin.site.each_context(request),
        "title": "What a request was answered",
        **(_told(row) if row else {}),
    }
    return TemplateResponse(request, "admin/credits/answer.html", context)


def _told(row: IdempotencyRecord) -> dict[str, Any]:
    """Return an answer for people: what it says in words, and all of it."""
    said = json.loads(row.body) if row.body else {}
    state = (f"Refused: {row.status}", "danger") if row.status >= REFUSED else (str(row.status), "success")
    return {
        "row": row,
        "account": Account.objects.filter(pk=row.account_id).first() if row.account_id else None,
        "state": show.badge(*state),
        "words": said.get("detail", "") if isinstance(said, dict) else "",
        "body": json.dumps(said, indent=2, ensure_ascii=False),
    }


def find(term: str) -> Iterator[desk.Hit]:
    """Find what was answered by its key: the movement that it made, or the account; on a page of its own a refusal."""
    for row in IdempotencyRecord.objects.filter(owner__in=_owners(), key=term)[:MOST]:
        if row.status >= REFUSED or row.account_id is None:
            yield _hit(row, row.key)
        else:
            note = f"of {row.owner}: answered {row.status} at {show.utc(row.created_at)}"
            yield desk.Hit(
                "Idempotency keys", row.key, _made(row) or show.page_of(Account, row.account_id), note, exact=True
            )


def _made(row: IdempotencyRecord) -> str:
    """Return the page of the movement that an answer names, whatever the dialect calls it; nothing for several."""
    ids = set(UUIDS.findall(row.body))
    made = list(Transaction.objects.filter(pk__in=ids, account=row.account_id)[:2]) if len(ids) <= MOST else []
    return show.page_of(Transaction, made[0].pk) if len(made) == 1 else ""


def find_refused(term: str) -> Iterator[desk.Hit]:
    """Find what was refused by the id of the request."""
    for row in _refused(term):
        yield _hit(row, row.request_id)


def link_of(row: Transaction) -> SafeString | str:
    """Return a link to what the request that made a movement was answered, named as its key; nothing without one.

    Nothing leads from a movement to a key but when it was kept, and that the answer names the movement.
    """
    about = {"created_at__gt": row.recorded_at - APART, "created_at__lt": row.recorded_at + APART}
    of_account = Q(account_id=row.account_id) | Q(account_id=None)
    kept = IdempotencyRecord.objects.filter(of_account, **about, body__contains=str(row.pk), owner__in=_owners())
    found = kept.first()
    return format_html('<a class="f-link" href="{}">{}</a>', _address(found), found.key) if found else ""


def _refused(term: str) -> QuerySet[IdempotencyRecord]:
    named = IdempotencyRecord.objects.filter(~Q(request_id=""), request_id=term, owner__in=_owners())
    return named.order_by("created_at")[:MOST]


def _hit(row: IdempotencyRecord, title: str) -> desk.Hit:
    said = "refused with" if row.status >= REFUSED else "answered"
    note = f"of {row.owner}: {said} {row.status} at {show.utc(row.created_at)}"
    return desk.Hit("Requests", title, _address(row), note, exact=True)


def _address(row: IdempotencyRecord) -> str:
    return f"{reverse('desk-answer')}?{urlencode({'owner': row.owner, 'key': row.key})}"


def _owners() -> list[str]:
    """Return whose keys there are: without an owner no index leads to a key."""
    return list(ApiKey.objects.order_by().values_list("owner", flat=True).distinct()[:1000])


desk.register(desk.Finder("credits.view_account", find), desk.Finder("credits.view_account", find_refused))
