"""Where the payment provider and we disagree: the list, a button that compares anew, and one that repairs."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from billing.models import Difference
from billing.services import reconciliation
from billing.tasks import reconcile_now
from credits.admin import show
from credits.admin.asking import ask
from credits.admin.buttons import button
from credits.admin.lists import Bounded
from credits.admin.logged import actor_of, request_id
from credits.admin.policies import ReadOnly
from credits.refusals import Refusal
from credits.services.staff import Told, record_act

REPAIR = (
    "It is looked up anew at the payment provider, and what is so there applies here, as a webhook would have done. "
    "Then both are compared again."
)
COMPARE = "A worker takes in the events of 72 hours that did not come, and lists what differs then. It takes a minute."


class OpenFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [("open", "Open"), ("resolved", "Agree again")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Difference]) -> QuerySet[Difference]:
        if self.value() not in {"open", "resolved"}:
            return queryset
        return queryset.filter(resolved_at__isnull=self.value() == "open")


@admin.register(Difference)
class DifferenceAdmin(ReadOnly, Bounded, ModelAdmin):  # type: ignore[misc]
    """Every difference there was, newest first."""

    list_display = ("what", "subject", "ours", "theirs", "state", "seen", "failure")
    list_display_links = ("what",)
    list_filter = (OpenFilter, "kind")
    search_fields = ("subject", "about")
    search_help_text = "The exact id of a charge, refund, dispute, payment or subscription."
    ordering = ("-id",)
    actions_list = ("compare",)
    actions_detail = ("repair",)
    fields = (
        "what", "subject", "about", "ours", "theirs", "state", "first_seen", "seen", "failure", "resolved",
        "resolved_by",
    )  # fmt: skip

    first_seen = show.moment_of("first_seen_at", "First seen")
    resolved = show.moment_of("resolved_at", "Agree again since")

    def get_readonly_fields(self, request: HttpRequest, obj: Difference | None = None) -> tuple[str, ...]:
        return self.fields

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Difference], search_term: str
    ) -> tuple[QuerySet[Difference], bool]:
        term = search_term.strip().replace("\0", "")
        if not term:
            return queryset, False
        return queryset.filter(subject=term) | queryset.filter(about=term), False

    @admin.display(description="What differs")
    def what(self, row: Difference) -> str:
        return f"{row.get_kind_display()}: {row.field}"

    @admin.display(description="State")
    def state(self, row: Difference) -> SafeString:
        return show.badge("Agree again", "success") if row.resolved_at else show.badge("Open", "danger")

    @admin.display(description="Last seen")
    def seen(self, row: Difference) -> SafeString | str:
        return show.moment_tag(row.last_seen_at)

    def has_repair_difference_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("billing.repair_difference")

    @button("Compare now", path="compare", icon="sync", permission="repair_difference")
    def compare(self, request: HttpRequest) -> HttpResponse:
        """Ask, then let a worker compare with the payment provider."""
        home = reverse("admin:billing_difference_changelist")
        if request.method != "POST":
            return ask(self, request, title="Compare now", explained=COMPARE, back=home)
        if reconcile_now():
            messages.success(request, "A worker compares now. What differs appears here in a minute.")
        else:
            messages.error(request, "No worker could be told. Compare by manage.py reconcile_stripe.")
        return HttpResponseRedirect(home)

    @button("Repair", path="repair", icon="build", permission="repair_difference")
    def repair(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then look up anew what differs, apply it, and compare again."""
        row = self.get_object(request, object_id)
        if row is None:
            answer: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
            return answer
        home = show.page_of(Difference, row.pk)
        if request.method != "POST":
            return ask(self, request, title="Repair the difference", explained=REPAIR, back=home)
        if row.resolved_at is not None:
            messages.info(request, "Both agree again already.")
            return HttpResponseRedirect(home)
        try:
            agreed = reconciliation.repair(row, by=request.user.get_username())
        except Refusal as refusal:
            messages.error(request, refusal.detail)
            return HttpResponseRedirect(home)
        told = Told(
            subject=f"Difference {row.subject}",
            before={"We": row.ours, "Stripe": row.theirs},
            after={"Agree": "Yes" if agreed else "No"},
            request_id=request_id(request),
        )
        words = f"Repaired {row}." if agreed else f"Tried to repair {row}."
        with transaction.atomic():
            record_act(actor=actor_of(request), action="repair", what=words, told=told)
        if agreed:
            messages.success(request, "Both agree again.")
        else:
            messages.error(request, row.failure)
        return HttpResponseRedirect(home)


def waiting(request: HttpRequest) -> str:
    """Return how many are open, for the sidebar; nothing where none is."""
    count = Difference.objects.filter(resolved_at=None).count()
    return str(count) if count else ""
