"""Auto top-ups: who buys by itself, how that goes, and a button that switches it off or on again."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from billing.models import AutoTopUp, Checkout
from billing.services import topups
from credits.admin import show
from credits.admin.asking import OFF, ON, ask
from credits.admin.buttons import button
from credits.admin.desk import Board, Tile, register
from credits.admin.lists import Bounded, OfAccount
from credits.admin.logged import actor_of, request_id
from credits.admin.policies import ReadOnly
from credits.amounts import say_money
from credits.models import Account
from credits.services.staff import Told, record_act

SWITCH = (
    "Where it is on, it buys nothing any more; what is under way still comes in. "
    "Where it is off, it may buy again, and its declines are forgotten."
)
MOST_SHOWN = 20


@admin.register(AutoTopUp)
class AutoTopUpAdmin(ReadOnly, Bounded, ModelAdmin):  # type: ignore[misc]
    """Each account that buys by itself, the last changed first."""

    list_display = ("owner", "below", "buys", "state", "failures", "failure", "waits")
    list_display_links = ("below",)
    list_select_related = ("account", "pack")
    list_before_template = "admin/credits/of_account.html"
    list_filter = (OfAccount, "enabled", "stopped")
    ordering = ("-updated_at",)
    actions_detail = ("switch",)
    fields = (
        "owner", "below", "buys", "most_per_hour", "most_per_day", "state", "failures", "failure", "waits",
        "off", "off_reason", "bought", "created", "updated",
    )  # fmt: skip

    off = show.moment_of("off_at", "Switched off")
    created = show.moment_of("created_at", "Set")
    updated = show.moment_of("updated_at", "Changed")

    def get_readonly_fields(self, request: HttpRequest, obj: AutoTopUp | None = None) -> tuple[str, ...]:
        return self.fields

    @admin.display(description="Account")
    def owner(self, row: AutoTopUp) -> SafeString:
        return show.link(Account, row.account_id, row.account.external_id)

    @admin.display(description="Buys below")
    def below(self, row: AutoTopUp) -> str:
        return show.amount(row.threshold, row.account.unit_id)

    @admin.display(description="Buys")
    def buys(self, row: AutoTopUp) -> str:
        until = f" until {show.amount(row.target, row.account.unit_id)}" if row.target is not None else ""
        return f"{row.pack.name}{until}"

    @admin.display(description="State")
    def state(self, row: AutoTopUp) -> SafeString:
        if not row.enabled:
            return show.badge("Off", "danger" if row.stopped else "default")
        return show.badge("Declined", "warning") if row.failures else show.badge("On", "success")

    @admin.display(description="Waits until")
    def waits(self, row: AutoTopUp) -> SafeString | str:
        return show.moment_tag(row.next_try_at) if row.next_try_at and row.enabled else show.EMPTY

    @admin.display(description="Bought")
    def bought(self, row: AutoTopUp) -> SafeString | str:
        rows = Checkout.objects.filter(account_id=row.account_id, automatic=True)[:MOST_SHOWN]
        said = (
            (
                show.moment_tag(each.created_at),
                say_money(each.amount_minor, each.currency),
                each.get_status_display(),
                each.failure,
            )
            for each in rows
        )
        return format_html_join("", "{} · {} · {} {}<br>", said) or show.EMPTY

    def has_switch_autotopup_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("billing.switch_autotopup")

    @button("Switch off or on", path="switch", icon="power_settings_new", permission="switch_autotopup")
    def switch(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then switch it."""
        row = self.get_object(request, object_id)
        if row is None:
            answer: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
            return answer
        home = reverse("admin:billing_autotopup_change", args=[row.pk])
        if request.method != "POST" or request.POST.get("to") not in {ON, OFF}:
            title = "Switch it off" if row.enabled else "Switch it on again"
            return ask(self, request, title=title, explained=SWITCH, back=home, to=OFF if row.enabled else ON)
        on = request.POST["to"] == ON
        with transaction.atomic():
            switched = topups.switch(row.pk, on=on, reason=f"Switched off by {request.user.get_username()}")
            if switched:
                self._record(request, row, on=on)
        was = "" if switched else " already"
        messages.success(request, f"It is on{was or ' again'}." if on else f"It is off{was}.")
        return HttpResponseRedirect(home)

    def _record(self, request: HttpRequest, row: AutoTopUp, *, on: bool) -> None:
        words = ("Off", "On") if on else ("On", "Off")
        told = Told(
            account=row.account_id,
            note="" if on else row.failure,
            before={"Auto top-up": words[0]},
            after={"Auto top-up": words[1]},
            request_id=request_id(request),
        )
        record_act(
            actor=actor_of(request), action="switch", what=f"Switched auto top-up {words[1].lower()}.", told=told
        )


def switched_off(request: HttpRequest) -> Iterator[Tile]:
    """Tell how many were switched off by declines, or by money that went back."""
    count = AutoTopUp.objects.filter(enabled=False, stopped=True).count()
    address = f"{reverse('admin:billing_autotopup_changelist')}?enabled__exact=0&stopped__exact=1"
    yield Tile("Auto top-ups switched off", f"{count:,}", address, "", alarm=bool(count))


register(Board("Work waiting", "billing.view_autotopup", switched_off, place=8))
