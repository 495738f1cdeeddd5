"""What waits for a second person: the list, the page that previews it anew, and the two buttons."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import DropdownFilter

from credits.admin import bulk_approval, desk, show
from credits.admin.acts import Act
from credits.admin.confirmation import Confirmation, digest
from credits.admin.forms import note
from credits.admin.lists import Bounded, OfAccount
from credits.admin.logged import actor_of, request_id
from credits.admin.more_verbs import Transfer
from credits.admin.policies import ReadOnly
from credits.admin.previews import Change
from credits.admin.verbs import Adjust, Edit, Give, Refund
from credits.amounts import places_of, say_money
from credits.models import Account, ApprovalRequest, ApprovalStatus, BulkAdjustment, CappedAction
from credits.plan import Actor
from credits.refusals import InvalidField, Refusal
from credits.services import approvals
from credits.services.caps import AboveCap, Weight, check_approval
from credits.services.once import Replay

COLOURS = {"waiting": "warning", "approved": "success", "refused": "danger", "lapsed": "default"}
MAY = "credits.decide_approvalrequest"
MOST_COUNTED = 1000
ASKED = "florin.approvals_waiting"


class DecisionForm(forms.Form):
    decision = note("What you say", most=500, help_text="Kept with the request.", required=False)


class State(DropdownFilter):  # type: ignore[misc]
    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(value), str(label)) for value, label in ApprovalStatus.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApprovalRequest]) -> QuerySet[ApprovalRequest]:
        """Filter by what the list says of a request: one whose time is up has lapsed, written or not."""
        over = Q(status=ApprovalStatus.WAITING, lapses_at__lte=timezone.now())
        match self.value():
            case ApprovalStatus.WAITING:
                return queryset.filter(status=ApprovalStatus.WAITING).exclude(over)
            case ApprovalStatus.LAPSED:
                return queryset.filter(Q(status=ApprovalStatus.LAPSED) | over)
        return queryset.filter(status=self.value()) if self.value() else queryset


@admin.register(ApprovalRequest)
class ApprovalRequestAdmin(ReadOnly, Bounded, ModelAdmin):  # type: ignore[misc]
    """Every request for approval, newest first."""

    list_display = ("what", "figure", "owner", "asked_by_name", "asked_on", "state", "decided_by_name")
    list_display_links = ("what",)
    list_filter = (State, OfAccount)
    list_select_related = ("account", "bulk")
    ordering = ("-id",)

    @admin.display(description="What")
    def what(self, row: ApprovalRequest) -> str:
        return row.get_action_display()

    @admin.display(description="Amount")
    def figure(self, row: ApprovalRequest) -> str:
        return _figure(row)

    @admin.display(description="Of")
    def owner(self, row: ApprovalRequest) -> SafeString | str:
        if row.bulk is not None:
            return show.link(BulkAdjustment, row.bulk_id, str(row.bulk))
        if row.account is None:
            return show.EMPTY
        whose = show.link(Account, row.account_id, row.account.external_id)
        button = desk.approvable(row.action)
        if button.model is Account:
            return whose
        subject = show.link(button.model, button.row_of(row), str(button.model._meta.verbose_name))
        return format_html("{} · {}", whose, subject)

    @admin.display(description="Asked")
    def asked_on(self, row: ApprovalRequest) -> SafeString | str:
        return show.moment_tag(row.asked_at)

    @admin.display(description="Status")
    def state(self, row: ApprovalRequest) -> SafeString:
        lapsed = row.status == ApprovalStatus.WAITING and row.lapses_at <= timezone.now()
        return show.badge("Lapsed" if lapsed else row.get_status_display(), COLOURS[row.status])

    def get_urls(self) -> list[Any]:
        """Add the two buttons."""
        wrap = self.admin_site.admin_view
        buttons = [
            path(f"<int:pk>/{name}/", wrap(getattr(self, name)), name=f"credits_approval_{name}")
            for name in ("approve", "refuse")
        ]
        return [*buttons, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show what is asked for and, while it waits, what it would change now."""
        row = self.get_object(request, object_id)
        if row is None:
            answer: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
            return answer
        if request.method != "GET" or not self.has_view_permission(request, row):
            raise PermissionDenied
        return self._page(request, row)

    def approve(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Do what was asked for, once, if it still is what the page showed."""
        row, decision = self._posted(request, pk)
        given = _wanted(request, row).found_in(request.POST.get("confirmation", ""))
        if given is None:
            messages.error(request, "Look at the figures as they are now, then decide.")
            return HttpResponseRedirect(show.page_of(ApprovalRequest, row.pk))
        doing = Doing(self, request, given)
        try:
            done = approvals.approve(
                request=pk,
                decider=actor_of(request),
                decision=decision,
                act=doing.do,
                request_id=request_id(request),
            )
        except (approvals.NotYours, AboveCap, Replay) as refused:
            messages.error(request, str(refused) or "It was done before.")
        except Refusal as refusal:
            messages.error(request, f"It cannot be done now: {refusal.detail}")
        else:
            if done is None:
                messages.error(request, "Things have changed since you looked. Nothing was done: look again.")
            else:
                doing.finish(done)
        return HttpResponseRedirect(show.page_of(ApprovalRequest, row.pk))

    def refuse(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Refuse it for good."""
        row, decision = self._posted(request, pk)
        try:
            approvals.refuse(request=pk, decider=actor_of(request), decision=decision, request_id=request_id(request))
        except approvals.NotYours as refused:
            messages.error(request, str(refused))
        else:
            messages.success(request, "Refused. Nothing was moved.")
        return HttpResponseRedirect(show.page_of(ApprovalRequest, row.pk))

    def _posted(self, request: HttpRequest, pk: int) -> tuple[ApprovalRequest, str]:
        if request.method != "POST" or not request.user.has_perm(MAY):
            raise PermissionDenied
        row: ApprovalRequest | None = self.get_object(request, str(pk))
        if row is None:
            raise Http404
        if not _may_do(self, request, row):
            raise PermissionDenied
        form = DecisionForm(request.POST)
        return row, form.cleaned_data["decision"] if form.is_valid() else ""

    def _page(self, request: HttpRequest, row: ApprovalRequest) -> HttpResponse:
        request.current_app = self.admin_site.name
        waits = row.status == ApprovalStatus.WAITING and row.lapses_at > timezone.now()
        foreseen = _foresee(self, request, row) if waits else Foreseen()
        own = row.asked_by_id == str(request.user.pk)
        decides = waits and not own and request.user.has_perm(MAY)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{row.get_action_display()}: {_asked(row)}",
            "opts": self.opts,
            "row": row,
            "state": self.state(row),
            "owner": self.owner(row),
            "asked_at": show.moment_tag(row.asked_at),
            "lapses_at": show.moment_tag(row.lapses_at),
            "decided_at": show.moment_tag(row.decided_at) if row.decided_at else "",
            "changes": foreseen.changes or [Change(*line) for line in row.preview],
            "fault": foreseen.fault,
            "waits": waits,
            "own": own,
            "may": decides and _may_do(self, request, row),
            "above": _above(request, row, foreseen.weight) if decides else "",
            "others": waiting_for(row.account, but=row.pk) if waits and row.account else (),
            "form": DecisionForm(),
            "confirmation": _wanted(request, row).showing(foreseen.seen).signed(),
        }
        return TemplateResponse(request, "admin/credits/approval/page.html", context)


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
        if act.figures(act.hold(once, data), data) != self.given.seen:
            return None
        # It may have come to more since it was asked for.
        if weight := act.weight(data):
            check_approval(user=self.request.user, weight=weight)
        act.changes = act.told(data)
        done = act.act(once, data)
        act.record(done, data)
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


def _figure(row: ApprovalRequest, amount: Decimal | None = None, *, signed: bool = False) -> str:
    """Return an amount with its unit. A currency in which money is given back may be no unit of accounts."""
    value = row.amount if amount is None else amount
    if row.action == CappedAction.REFUND_PAYMENT:
        return say_money(int(value.scaleb(places_of(row.unit))), row.unit)
    return f"{show.amount(value, row.unit, signed=signed)} {row.unit}"


def _asked(row: ApprovalRequest) -> str:
    """Return the amount with the sign that it was asked with: what counts against a cap has none."""
    if row.bulk is not None:
        return str(row.bulk)
    taken = str(row.asked.get("amount", "")).strip().startswith("-")
    return _figure(row, -row.amount if taken else row.amount, signed=row.action == CappedAction.ADJUST)


def _weight(row: ApprovalRequest) -> Weight:
    return Weight(row.action, row.unit, row.amount)


def _above(request: HttpRequest, row: ApprovalRequest, weight: Weight | None) -> str:
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
    right = "credits.bulk_adjust" if row.bulk_id is not None else desk.approvable(row.action).act.right()
    asker = get_user_model().objects.filter(pk=row.asked_by_id, is_active=True, is_staff=True).first()
    if asker is None or not asker.has_perm(right):
        raise InvalidField("asked", "Whoever asked for it may no longer do so.")


def waiting_for(account: Account, *, but: int = 0) -> list[tuple[SafeString, str]]:
    """Return what waits for an account, with who asked: perhaps the same thing, asked for twice."""
    others = _waiting().filter(account=account.pk).exclude(pk=but).select_related("bulk").order_by("pk")[:5]
    return [
        (show.link(ApprovalRequest, other.pk, f"{other.get_action_display()}: {_asked(other)}"), other.asked_by_name)
        for other in others
    ]


def _asker(row: ApprovalRequest) -> Actor:
    return Actor("staff", row.asked_by_id, row.asked_by_name)


def _wanted(request: HttpRequest, row: ApprovalRequest) -> Confirmation:
    return Confirmation(user=str(request.user.pk), asked=digest(["approval", row.pk]), key=f"approval-{row.pk}")


def _may_do(page: Any, request: HttpRequest, row: ApprovalRequest) -> bool:
    """Whether whoever approves could do it themselves."""
    if row.bulk_id is not None:
        return request.user.has_perm("credits.bulk_adjust")
    return desk.approvable(row.action).act.allowed(request)


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


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a request would change now, or why it cannot be done, and what of it counts against a cap by now.

    ``seen`` is a digest of what it depends on.
    """

    changes: list[Change] = field(default_factory=list)
    fault: str = ""
    seen: str = ""
    weight: Weight | None = None


def _foresee(page: Any, request: HttpRequest, row: ApprovalRequest) -> Foreseen:
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


def waiting(request: HttpRequest) -> str:
    """Return how many wait, for the sidebar; nothing where none does."""
    if not request.user.has_perm("credits.view_approvalrequest"):
        return ""
    count = len(_accounts_of_waiting(request))
    return f"{count:,}{'+' if count == MOST_COUNTED else ''}" if count else ""


def waits_for(request: HttpRequest, account: Account) -> list[tuple[SafeString, str]]:
    """Return what waits for an account, to those who may see it. Where nothing does, that costs no query of its own."""
    if not request.user.has_perm("credits.view_approvalrequest"):
        return []
    return waiting_for(account) if account.pk in _accounts_of_waiting(request) else []


def _accounts_of_waiting(request: HttpRequest) -> list[UUID | None]:
    """Return the accounts of the requests that wait: asked once a page, for the sidebar and the account's page."""
    found: list[UUID | None] | None = request.META.get(ASKED)
    if found is None:
        found = request.META[ASKED] = list(_waiting().values_list("account_id", flat=True)[:MOST_COUNTED])
    return found


def _waiting() -> QuerySet[ApprovalRequest]:
    return ApprovalRequest.objects.filter(status=ApprovalStatus.WAITING, lapses_at__gt=timezone.now()).order_by()


def tiles(request: HttpRequest) -> Iterator[desk.Tile]:
    """Tell how many requests wait for a second person."""
    count = _waiting().count()
    link = f"{reverse('admin:credits_approvalrequest_changelist')}?status=waiting"
    yield desk.Tile("Approvals", f"{count:,}", link, "wait for a second person", bool(count))


def _account(row: ApprovalRequest) -> str:
    return str(row.account_id)


desk.register(*(desk.Approvable(verb.path, verb, Account, _account) for verb in (Adjust, Give, Refund, Transfer, Edit)))
desk.register(desk.Board("Work waiting", "credits.view_approvalrequest", tiles, place=4))
