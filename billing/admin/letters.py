"""Messages from NATS that could not be applied: why, and buttons that replay or dismiss one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from billing.models import DeadLetter, LetterState
from billing.services import letters
from billing.standing import apply_letter
from credits.admin import show
from credits.admin.buttons import button
from credits.admin.desk import Board, Tile, register
from credits.admin.lists import Bounded
from credits.admin.policies import ReadOnly
from credits.refusals import Refusal

COLOURS = {LetterState.OPEN: "danger", LetterState.REPLAYED: "success", LetterState.DISMISSED: "default"}


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnly, Bounded, ModelAdmin):  # type: ignore[misc]
    """Every dead letter, newest first."""

    list_display = ("came", "subject", "message_id", "what_became", "code", "why")
    list_display_links = ("came",)
    list_filter = (("state", ChoicesDropdownFilter),)
    search_fields = ("message_id", "code")
    search_help_text = "The exact id of a message, or a code such as insufficient_credits."
    ordering = ("-id",)
    actions_detail = ("replay", "dismiss")
    fields = ("subject", "message_id", "what_became", "code", "error", "came", "closed", "as_it_came")

    came = show.moment_of("came_at", "Came")
    closed = show.moment_of("closed_at", "Settled")

    def get_readonly_fields(self, request: HttpRequest, obj: DeadLetter | None = None) -> tuple[str, ...]:
        return self.fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeadLetter]:
        return DeadLetter.objects.all()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[DeadLetter], search_term: str
    ) -> tuple[QuerySet[DeadLetter], bool]:
        term = search_term.strip().replace("\0", "")
        if not term:
            return queryset, False
        return queryset.filter(message_id=term) | queryset.filter(code=term), False

    @admin.display(description="State")
    def what_became(self, row: DeadLetter) -> SafeString:
        return show.badge(row.get_state_display(), COLOURS[LetterState(row.state)])

    @admin.display(description="Why")
    def why(self, row: DeadLetter) -> str:
        return row.error[:80]

    @admin.display(description="As it came")
    def as_it_came(self, row: DeadLetter) -> SafeString:
        return format_html("<pre>{}</pre>", row.body)

    def has_replay_deadletter_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("billing.replay_deadletter")

    @button("Replay", path="replay", icon="replay", permission="replay_deadletter")
    def replay(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then apply a message now, as if it had just come."""
        return self._decide(
            request,
            object_id,
            verb="Replay",
            says="It is applied now, as if it had just come. What its reference has moved already is not moved again.",
            act=lambda row: letters.replay_letter(row.pk, apply_letter),
        )

    @button("Dismiss", path="dismiss", icon="close", permission="replay_deadletter")
    def dismiss(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then close a message that is not to be applied."""
        return self._decide(
            request,
            object_id,
            verb="Dismiss",
            says="It is closed and never applied. It stays here to be read.",
            act=lambda row: letters.dismiss_letter(row.pk),
        )

    def _decide(
        self, request: HttpRequest, object_id: str, *, verb: str, says: str, act: Callable[[DeadLetter], None]
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None:
            answer: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
            return answer
        if request.method == "GET":
            told = {"title": f"{verb} the message", "opts": self.opts, "row": row, "verb": verb, "says": says}
            common = self.admin_site.each_context(request)
            return TemplateResponse(request, "admin/billing/deadletter/decide.html", {**common, **told})
        if request.method != "POST":
            return HttpResponseNotAllowed(["GET", "POST"])
        try:
            act(row)
        except Refusal as refusal:
            messages.error(request, refusal.detail)
        else:
            self.log_change(request, row, f"{verb}ed {row}.")
            messages.success(request, "It is done.")
        return HttpResponseRedirect(show.page_of(DeadLetter, row.pk))


def waiting(request: HttpRequest) -> str:
    """Return how many messages wait for staff, for the sidebar."""
    count = DeadLetter.objects.filter(state=LetterState.OPEN).order_by()[:100].count()
    return (f"{count}" if count < 100 else "99+") if count else ""


def tiles(request: HttpRequest) -> Iterator[Tile]:
    """Tell how many messages could not be applied and wait for staff."""
    count = DeadLetter.objects.filter(state=LetterState.OPEN).count()
    link = f"{reverse('admin:billing_deadletter_changelist')}?state__exact={LetterState.OPEN}"
    yield Tile("Dead letters", f"{count:,}", link, "messages that could not be applied", bool(count))


register(Board("Work waiting", "billing.view_deadletter", tiles, place=7))
