"""What approving a request does, for whoever asked: the button as it was filled in, foreseen anew, pressed once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.http import HttpRequest

from credits.admin import bulk_approval, desk, show
from credits.admin.acts import Act
from credits.admin.confirmation import Confirmation
from credits.admin.editing import Edit
from credits.admin.logged import actor_of
from credits.admin.more_verbs import Transfer
from credits.admin.policies import roles_that_may
from credits.admin.previews import Change
from credits.admin.verbs import Adjust, Give, Refund
from credits.models import Account, ApprovalRequest
from credits.plan import Actor
from credits.refusals import InvalidField, Refusal
from credits.services.caps import AboveCap, Weight, check_approval

DECIDE = "credits.decide_approvalrequest"


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a request would change now, or why it cannot be done, and what of it counts against a cap by now.

    ``seen`` is a digest of what it depends on.
    """

    changes: list[Change] = field(default_factory=list)
    fault: str = ""
    seen: str = ""
    weight: Weight | None = None


def foresee(page: Any, request: HttpRequest, row: ApprovalRequest) -> Foreseen:
    """Return what it would change now, worked out anew."""
    weight = None
    try:
        if row.bulk is not None:
            changes, seen = bulk_approval.foresee(row.bulk)
            return Foreseen(changes, seen=seen)
        act, data = _act(page, request, row)
        weight = act.weight(data)
        state = act.look(data)
        seen = act.figures(state, data)
        return Foreseen(act.foresee(state, data), seen=seen, weight=weight)
    except Refusal as refusal:
        return Foreseen(fault=refusal.detail, weight=weight)


class Doing:
    """What is approved: done for who asked in the transaction that approves it, and finished after that."""

    def __init__(self, page: Any, request: HttpRequest, given: Confirmation) -> None:
        self.page, self.request, self.given = page, request, given
        # What was done, the button that did it, and what had been filled in.
        self.done: tuple[Any, Act, dict[str, Any]] | None = None

    def do(self, row: ApprovalRequest) -> Any:
        """Do it, with the request locked; or return None where it is not what was shown."""
        self.done = None
        check_approval(user=self.request.user, weight=_weight(row))
        _check_asker(row)
        if row.bulk is not None:
            seen = self.given.seen
            done = bulk_approval.confirm_asked(row, row=row.bulk, seen=seen, request=self.request)
            return row if done else None
        act, data = _act(self.page, self.request, row)
        # Whoever approves it, it is the same request: it is done once for that.
        once = replace(self.given.once(), owner="approval", key=str(row.pk))
        done = act.do(once, data, seen=self.given.seen, check=check_approval)
        if done is not None:
            self.done = done, act, data
        return done

    def finish(self, row: ApprovalRequest) -> None:
        """Do what had to wait until it was approved, and tell what became of it."""
        if self.done is None:
            bulk_approval.nudge()
            messages.success(self.request, f"Approved: {row}. A worker applies it now.")
            return
        done, act, data = self.done
        try:
            messages.success(self.request, show.in_zone(f"Approved. {act.said(act.finish(done), data)}"))
        except Refusal as refusal:
            messages.error(self.request, f"Approved, but it was refused: {refusal.detail}")


def _weight(row: ApprovalRequest) -> Weight:
    return Weight(row.action, row.unit, row.amount)


def above_bound(request: HttpRequest, row: ApprovalRequest, weight: Weight | None) -> str:
    """Return why it is too much for whoever looks to approve, as it was asked or by now; nothing where it is not."""
    try:
        for each in (_weight(row), weight):
            if each is not None:
                check_approval(user=request.user, weight=each)
    except AboveCap as above:
        return str(above)
    return ""


def _check_asker(row: ApprovalRequest) -> None:
    """Refuse what whoever asked could not ask for today."""
    right = right_for(row)
    asker = get_user_model().objects.filter(pk=row.asked_by_id, is_active=True, is_staff=True).first()
    if asker is None or not asker.has_perm(right):
        raise InvalidField("asked", "Whoever asked for it may no longer do so.")


def right_for(row: ApprovalRequest) -> str:
    """Return the permission that it takes to do what is asked for."""
    return "credits.bulk_adjust" if row.bulk_id is not None else desk.approvable(row.action).act.right()


def may_do(request: HttpRequest, row: ApprovalRequest) -> bool:
    """Whether whoever approves could do it themselves."""
    return request.user.has_perm(right_for(row))


def why_not(request: HttpRequest, row: ApprovalRequest) -> str:
    """Return who decides on it instead of whoever may decide, but not on this; nothing where they may."""
    if may_do(request, row):
        return ""
    do, decide = roles_that_may(right_for(row)), roles_that_may(DECIDE)
    who = " or ".join(role for role in decide if role in do) or "a superuser"
    return f"You have no right to do this yourself ({row.get_action_display()}), so it is for {who} to decide."


def _asker(row: ApprovalRequest) -> Actor:
    return Actor("staff", row.asked_by_id, row.asked_by_name)


def _act(page: Any, request: HttpRequest, row: ApprovalRequest) -> tuple[Act, dict[str, Any]]:
    """Return the button as who asked had filled it in. Raises InvalidField where it can no longer be."""
    button = desk.approvable(row.action)
    # Each button of a row takes that row's key.
    make: Callable[..., Act] = button.act
    act = make(page.admin_site.get_model_admin(button.model), request, button.row_of(row))
    act.asker, act.approver = _asker(row), actor_of(request)
    form = act.filled(row.asked)
    if not form.is_valid():
        faults = "; ".join(str(fault) for each in form.errors.values() for fault in each)
        raise InvalidField("asked", faults)
    return act, form.cleaned_data


def _account(row: ApprovalRequest) -> str:
    return str(row.account_id)


desk.register(*(desk.Approvable(verb.path, verb, Account, _account) for verb in (Adjust, Give, Refund, Transfer, Edit)))
