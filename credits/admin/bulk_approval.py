"""A bulk above the cap: said before it is pressed, asked for once while it waits, shown anew, done when approved."""

from __future__ import annotations

from celery import current_app
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from kombu.exceptions import OperationalError

from credits.admin import show
from credits.admin.confirmation import digest
from credits.admin.logged import actor_of, request_id
from credits.admin.previews import Change
from credits.models import ApprovalRequest, BulkAdjustment, BulkStatus
from credits.plan import Actor
from credits.refusals import InvalidField, Refusal
from credits.services.approvals import Wish, ask_bulk_approval
from credits.services.bulk import Foreseen, confirm_bulk, foresee_bulk
from credits.services.bulk_log import asked as figures
from credits.services.bulk_log import record_step
from credits.services.caps import AboveCap, Weight, check_cap
from credits.services.staff import Told

TASK = "florin.apply_bulk_adjustments"


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
    good = row.lines_count - row.bad_count
    as_checked = Foreseen(good, row.total_added, row.total_taken, row.bad_count)
    wish = Wish(
        weigh(row), why=why, reason=row.reason, note=row.note, ticket=row.ticket,
        preview=[[change.label, change.before, change.after] for change in _told(row, as_checked)],
        request_id=request_id(request),
    )  # fmt: skip
    try:
        asked, new = ask_bulk_approval(bulk=row.pk, wish=wish, actor=actor_of(request))
    except Refusal as refusal:
        messages.error(request, refusal.detail)
        return HttpResponseRedirect(show.page_of(BulkAdjustment, row.pk))
    messages.warning(request, f"{why} It waits for somebody else's approval." if new else "This was asked for before.")
    return HttpResponseRedirect(show.page_of(ApprovalRequest, asked.pk))


def foresee(row: BulkAdjustment) -> tuple[list[Change], str]:
    """Return what it would do now, and a digest of it. Raises InvalidField where it is not to be confirmed any more."""
    foreseen = foresee_bulk(bulk=row.pk)
    return _told(row, foreseen), _figures(foreseen)


def confirm_asked(asked: ApprovalRequest, *, row: BulkAdjustment, seen: str, request: HttpRequest) -> bool:
    """Let it be applied for who asked, by whoever approves. Returns False where it is not what was shown.

    Raises InvalidField where it is not to be confirmed any more.
    """
    if _figures(foresee_bulk(bulk=row.pk)) != seen:
        return False
    approver = request.user.get_username()
    asker = Actor("staff", asked.asked_by_id, asked.asked_by_name)
    if not confirm_bulk(bulk=row.pk, actor=asker, approved_by=approver):
        raise InvalidField("bulk", "It is not waiting to be confirmed any more.")
    weight = Weight("bulk", asked.unit, asked.amount)
    record_confirmed(row, actor=asker, weight=weight, approved_by=approver, request_id=request_id(request))
    return True


def record_confirmed(
    row: BulkAdjustment, *, actor: Actor, weight: Weight, request_id: str, approved_by: str = ""
) -> None:
    """Write down that it was let be applied, with what counts against a cap."""
    told = Told(unit=weight.unit, amount=weight.amount, approved_by=approved_by, request_id=request_id)
    record_step(
        row, actor=actor, action=weight.action, what=f"Confirmed {row}.", told=told,
        before=figures(row, BulkStatus.CHECKED), after=figures(row, BulkStatus.RUNNING),
    )  # fmt: skip


def nudge() -> None:
    """Tell a worker. Without a broker the clock finds it, a minute later."""
    try:
        current_app.send_task(TASK, retry=False)
    except (OperationalError, OSError):
        return


def _told(row: BulkAdjustment, foreseen: Foreseen) -> list[Change]:
    added, taken = (show.amount(each, row.unit_id, signed=True) for each in (foreseen.added, -foreseen.taken))
    return [
        Change("Lines to do", show.EMPTY, f"{foreseen.lines:,}"),
        Change("Would add", show.EMPTY, f"{added} {row.unit_id}"),
        Change("Would take", show.EMPTY, f"{taken} {row.unit_id}"),
        Change("Wrong lines, left out", show.EMPTY, f"{foreseen.wrong:,}"),
    ]


def _figures(foreseen: Foreseen) -> str:
    return digest([foreseen.lines, foreseen.added.normalize(), foreseen.taken.normalize(), foreseen.wrong])
