"""A bulk above the cap: said before it is pressed, and asked for once while it waits."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from credits.admin import show
from credits.admin.logged import actor_of, request_id
from credits.models import ApprovalRequest, BulkAdjustment
from credits.refusals import Refusal
from credits.services.approvals import Wish, ask_bulk_approval
from credits.services.caps import AboveCap, Weight, check_cap


def weigh(row: BulkAdjustment) -> Weight:
    """Return what counts against the cap: what is added and what is taken, together."""
    return Weight("bulk", row.unit_id, row.total_added + row.total_taken)


def above_cap(request: HttpRequest, row: BulkAdjustment) -> str:
    """Return which cap it exceeds, or nothing where the user may do it alone."""
    try:
        check_cap(user=request.user, weight=weigh(row))
    except AboveCap as above:
        return str(above)
    return ""


def ask(request: HttpRequest, row: BulkAdjustment, why: str) -> HttpResponse:
    """Let a second person decide, and lead to the request."""
    wish = Wish(
        weigh(row), why=why, reason=row.reason, note=row.note, ticket=row.ticket,
        preview=[["Lines", "0", f"{row.lines_count - row.bad_count:,}"]], request_id=request_id(request),
    )  # fmt: skip
    try:
        asked, new = ask_bulk_approval(bulk=row.pk, wish=wish, actor=actor_of(request))
    except Refusal as refusal:
        messages.error(request, refusal.detail)
        return HttpResponseRedirect(show.page_of(BulkAdjustment, row.pk))
    messages.warning(request, f"{why} It waits for somebody else's approval." if new else "This was asked for before.")
    return HttpResponseRedirect(show.page_of(ApprovalRequest, asked.pk))
