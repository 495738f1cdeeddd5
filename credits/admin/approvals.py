"""What waits for a second person: the list, the page that previews it anew, and its buttons."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import DropdownFilter

from credits.admin import desk, show
from credits.admin.asked import asked_of, figure_of, waiting_for
from credits.admin.confirmation import Confirmation, digest
from credits.admin.deciding import DECIDE, Doing, Foreseen, above_bound, foresee, may_do, why_not
from credits.admin.forms import note
from credits.admin.lists import Bounded, OfAccount
from credits.admin.logged import actor_of, request_id
from credits.admin.policies import ReadOnly
from credits.admin.previews import Change
from credits.models import Account, ApprovalRequest, ApprovalStatus, BulkAdjustment
from credits.refusals import Refusal
from credits.services import approvals
from credits.services.caps import AboveCap
from credits.services.once import Replay

COLOURS = {
    "waiting": "warning",
    "approved": "success",
    "refused": "danger",
    "lapsed": "default",
    "withdrawn": "default",
}


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

    list_display = ("what", "figure", "owner", "asked_by", "asked_on", "state", "decided_by")
    list_display_links = ("what",)
    list_filter = (State, OfAccount)
    list_select_related = ("account", "bulk")
    ordering = ("-id",)

    asked_by = show.text_of("asked_by_name", "Asked by")
    decided_by = show.text_of("decided_by_name", "Decided by")

    @admin.display(description="What")
    def what(self, row: ApprovalRequest) -> str:
        return row.get_action_display()

    @admin.display(description="Amount")
    def figure(self, row: ApprovalRequest) -> str:
        return figure_of(row)

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
        return show.badge("Lapsed" if lapsed else row.get_status_display(), COLOURS.get(row.status, "default"))

    def get_urls(self) -> list[Any]:
        """Add the buttons."""
        wrap = self.admin_site.admin_view
        buttons = [
            path(f"<int:pk>/{name}/", wrap(getattr(self, name)), name=f"credits_approval_{name}")
            for name in ("approve", "refuse", "withdraw")
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

    def withdraw(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Take one's own request back, while nobody has decided on it."""
        if request.method != "POST" or not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, str(pk))
        if row is None:
            raise Http404
        try:
            approvals.withdraw(request=pk, asker=actor_of(request), request_id=request_id(request))
        except approvals.NotYours as refused:
            messages.error(request, str(refused))
        else:
            messages.success(request, "Withdrawn. Nothing was moved.")
        return HttpResponseRedirect(show.page_of(ApprovalRequest, row.pk))

    def _posted(self, request: HttpRequest, pk: int) -> tuple[ApprovalRequest, str]:
        if request.method != "POST" or not request.user.has_perm(DECIDE):
            raise PermissionDenied
        row: ApprovalRequest | None = self.get_object(request, str(pk))
        if row is None:
            raise Http404
        if not may_do(request, row):
            raise PermissionDenied
        form = DecisionForm(request.POST)
        return row, form.cleaned_data["decision"] if form.is_valid() else ""

    def _page(self, request: HttpRequest, row: ApprovalRequest) -> HttpResponse:
        request.current_app = self.admin_site.name
        waits = row.status == ApprovalStatus.WAITING and row.lapses_at > timezone.now()
        foreseen = foresee(self, request, row) if waits else Foreseen()
        own = row.asked_by_id == str(request.user.pk)
        decides = waits and not own and request.user.has_perm(DECIDE)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{row.get_action_display()}: {asked_of(row)}",
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
            "may": decides and may_do(request, row),
            "why_not": why_not(request, row) if decides else "",
            "above": above_bound(request, row, foreseen.weight) if decides else "",
            "others": waiting_for(row.account, but=row.pk) if waits and row.account else (),
            "form": DecisionForm(),
            "confirmation": _wanted(request, row).showing(foreseen.seen).signed(),
        }
        return TemplateResponse(request, "admin/credits/approval/page.html", context)


def _wanted(request: HttpRequest, row: ApprovalRequest) -> Confirmation:
    return Confirmation(user=str(request.user.pk), asked=digest(["approval", row.pk]), key=f"approval-{row.pk}")
