"""Accounts: the list, the page of one, and the buttons on it."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter, RelatedDropdownFilter
from unfold.dataclasses import UnfoldAction

from credits.admin import account_page, desk, quota_verbs, show, statements, verbs
from credits.admin.buttons import button
from credits.admin.editing import Edit
from credits.admin.lists import MOST_COUNTED, Bounded, as_uuid
from credits.admin.policies import ReadOnly
from credits.admin.words import words_of
from credits.models import Account, AccountStatus, Hold, HoldStatus
from credits.models.accounts import WORDS

BY_PATH = verbs.BY_PATH | quota_verbs.BY_PATH | {Edit.path: Edit}


class Condition(DropdownFilter):  # type: ignore[misc]
    """What an agent looks for: accounts in some kind of trouble."""

    title = "condition"
    parameter_name = "condition"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("held", "Has open holds"),
            ("debt", "Owes a debt"),
            ("overdrawn", "Overdrawn"),
            ("empty", "Nothing available"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Account]) -> QuerySet[Account]:
        match self.value():
            case "held":
                open_holds = Hold.objects.filter(account=OuterRef("pk"), status=HoldStatus.OPEN)
                return queryset.filter(Exists(open_holds))
            case "debt":
                return queryset.filter(debt__gt=0)
            case "overdrawn":
                return queryset.filter(balance__lt=0)
            case "empty":
                return queryset.filter(balance__lte=F("held") - F("overdraft_limit"))
        return queryset


@admin.register(Account)
class AccountAdmin(ReadOnly, Bounded, ModelAdmin):  # type: ignore[misc]
    """Accounts are opened by callers of the API. Here they are seen, and moved by the buttons and nothing else."""

    list_display = ("external", "known_as", "figure", "could_spend", "set_aside", "state", "opened")
    list_display_links = ("external",)
    list_filter = (("status", ChoicesDropdownFilter), ("unit", RelatedDropdownFilter), Condition)
    # Prefixes, because the indexes on upper(…) serve those and nothing else.
    search_fields = ("external_id__istartswith", "email__istartswith", "name__istartswith")
    search_help_text = "The beginning of an id, address or name, or of its words."
    ordering = ("-created_at", "id")
    actions_detail = (
        "adjust",
        "grant",
        "refund",
        {"title": "Quotas", "icon": "speed", "items": ["set_quota", "override_quota", "end_override", "reset_quota"]},
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Account], search_term: str
    ) -> tuple[QuerySet[Account], bool]:
        """An account id leads to its account; anything else begins an id, an address, a name or words of them."""
        if pk := as_uuid(search_term):
            found = queryset.filter(pk=pk)
            if found.exists():
                return found, False
        term = search_term.replace("\x00", "").strip()
        if not term:
            return queryset, False
        # An index each: joined by OR they would be a scan.
        named = Account.objects.order_by()
        begun = (Q(external_id__istartswith=term), Q(email__istartswith=term), Q(name__istartswith=term))
        either = [named.filter(each) for each in begun]
        if words := words_of(term):
            either.append(named.alias(words=WORDS).filter(words=words))
        first, *others = (each.values("pk")[: MOST_COUNTED + 1] for each in either)
        return queryset.filter(pk__in=first.union(*others)), False

    @admin.display(description="External id")
    def external(self, row: Account) -> SafeString:
        return show.apart(row.external_id)

    @admin.display(description="Name")
    def known_as(self, row: Account) -> SafeString:
        email = row.email if row.email != row.external_id else ""
        return format_html(
            '<div>{}<div class="f-small">{}</div></div>', *map(show.apart, (row.name or show.EMPTY, email))
        )

    @admin.display(description="Balance")
    def figure(self, row: Account) -> SafeString:
        return show.in_unit(row.balance, row.unit_id)

    @admin.display(description="Available")
    def could_spend(self, row: Account) -> SafeString:
        return show.figure(row.available, row.unit_id)

    @admin.display(description="Held")
    def set_aside(self, row: Account) -> SafeString | str:
        return show.figure(row.held, row.unit_id) if row.held else show.EMPTY

    @admin.display(description="Status")
    def state(self, row: Account) -> SafeString:
        debt = show.badge("Debt", "danger") if row.debt else ""
        badge = show.badge(row.get_status_display(), show.COLOUR_OF_ACCOUNT[AccountStatus(row.status)])
        return format_html("{} {}", badge, debt)

    @admin.display(description="Opened")
    def opened(self, row: Account) -> SafeString | str:
        return show.moment_tag(row.created_at)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the account's page. There is nothing to post to it."""
        account = self._with_mark(object_id)
        if account is None:
            answer: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
            return answer
        if request.method != "GET" or not self.has_view_permission(request, account):
            raise PermissionDenied
        request.current_app = self.admin_site.name
        request.META["florin.account_status"] = account.status
        buttons = self._get_actions_navigation(
            self.actions_detail, self.get_actions_detail(request, object_id), str(account.pk)
        )
        offered = account.status in verbs.OPEN
        may_refund = verbs.Refund.allowed(request)
        page = account_page.context(account, request, may_refund=may_refund)
        cards = desk.cards(request, account)
        return TemplateResponse(
            request,
            "admin/credits/account/page.html",
            {
                **self.admin_site.each_context(request),
                **page,
                "figures": [*page["figures"], *cards.headline],
                "title": f"{show.unturned(account.external_id)} ({account.unit_id})",
                "opts": self.opts,
                "account": account,
                "may_refund": may_refund,
                "may_grant": offered and verbs.Give.allowed(request),
                "may_set_quota": offered and quota_verbs.SetQuota.allowed(request),
                "may_override_quota": offered and quota_verbs.OverrideQuota.allowed(request),
                "may_reset_quota": offered and quota_verbs.ResetQuota.allowed(request),
                "actions_detail": [*buttons, *desk.menus(request, account, cards.away)],
                "sections": cards.sections,
                **(extra_context or {}),
            },
        )

    def _with_mark(self, object_id: str) -> Account | None:
        pk = as_uuid(object_id)
        return Account.objects.select_related("totals_mark").filter(pk=pk).first() if pk else None

    def get_urls(self) -> list[Any]:
        """Give each button that an app has registered its address."""
        added = [
            path(
                f"<path:object_id>/{each.verb.path}/",
                self.admin_site.admin_view(partial(self._press, each.verb)),
                name=f"credits_account_{each.verb.path.replace('-', '_')}",
            )
            for each in desk.buttons()
        ]
        printed = path(
            "<path:object_id>/statement/",
            self.admin_site.admin_view(self.statement),
            name="credits_account_statement",
        )
        return [*added, printed, *super().get_urls()]

    def statement(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Show the statement of an account, to print or as a file."""
        account = self.get_object(request, object_id)
        if account is None or not self.has_view_permission(request, account):
            raise PermissionDenied
        return statements.page(request, account)

    def _press(self, verb: type[verbs.Verb], request: HttpRequest, object_id: str) -> HttpResponse:
        return verb(self, request, object_id).answer()

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[UnfoldAction]:
        """Offer what the account's status allows, among what the user may do."""
        status = request.META.get("florin.account_status")
        if status is None:
            status = Account.objects.filter(pk=object_id).values_list("status", flat=True).first()
        allowed: list[UnfoldAction] = super().get_actions_detail(request, object_id)
        return [one for one in allowed if BY_PATH[one.path].offered(str(status))]

    def has_adjust_account_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return verbs.Adjust.allowed(request)

    def has_grant_credits_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return verbs.Give.allowed(request)

    def has_refund_transaction_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return verbs.Refund.allowed(request)

    def has_change_quota_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return quota_verbs.SetQuota.allowed(request)

    def has_override_quota_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return quota_verbs.OverrideQuota.allowed(request)

    def has_reset_quota_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return quota_verbs.ResetQuota.allowed(request)

    @button("Adjust", path="adjust", icon="tune", permission="adjust_account")
    def adjust(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return verbs.Adjust(self, request, object_id).answer()

    @button("Grant", path="grant", icon="redeem", permission="grant_credits")
    def grant(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return verbs.Give(self, request, object_id).answer()

    @button("Refund", path="refund", icon="undo", permission="refund_transaction")
    def refund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return verbs.Refund(self, request, object_id).answer()

    @button("Set a quota", path="set-quota", icon="speed", permission="change_quota")
    def set_quota(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return quota_verbs.SetQuota(self, request, object_id).answer()

    @button("Override", path="override-quota", icon="more_time", permission="override_quota")
    def override_quota(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return quota_verbs.OverrideQuota(self, request, object_id).answer()

    @button("End an override", path="end-override", icon="timer_off", permission="override_quota")
    def end_override(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return quota_verbs.EndOverride(self, request, object_id).answer()

    @button("Reset now", path="reset-quota", icon="restart_alt", permission="reset_quota")
    def reset_quota(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return quota_verbs.ResetQuota(self, request, object_id).answer()
