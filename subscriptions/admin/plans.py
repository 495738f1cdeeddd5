"""Plans and their versions. A version is added by `load_plans` or a service; here one sees what it says."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from credits.admin import show
from credits.admin.lookups import Offered
from credits.admin.policies import Kept, ReadOnly
from credits.amounts import say_money
from subscriptions.models import Plan, PlanVersion
from subscriptions.services.plans import change_plan, preview_plan_version


@admin.register(Plan)
class PlanAdmin(Kept, Offered, ModelAdmin):  # type: ignore[misc]
    """What is sold. Its name may change, and whether it is offered; the rest is for its versions to say."""

    list_display = ("code", "name", "rank", "is_default", "active")
    fields = ("code", "name", "rank", "is_default", "active", "newest", "would_touch")
    search_fields = ("code", "name")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Plan | None = None) -> tuple[str, ...]:
        always = ("code", "rank", "is_default", "newest", "would_touch")
        return (*always, "active") if obj and obj.is_default else always

    def save_model(self, request: HttpRequest, obj: Plan, form: Any, change: Any) -> None:
        """Hand it to the service."""
        change_plan(code=obj.code, name=obj.name, active=obj.active)

    @admin.display(description="Newest version")
    def newest(self, row: Plan) -> SafeString | str:
        version = row.versions.order_by("-number").first()
        return show.link(PlanVersion, version.pk, str(version)) if version else show.EMPTY

    @admin.display(description="A further version would reach")
    def would_touch(self, row: Plan) -> str:
        touched = preview_plan_version(plan=row.pk)
        if row.is_default:
            return f"{touched.at_once:,} accounts without a subscription, at once"
        return f"{len(touched.moves):,} subscriptions with their next period; {touched.stay:,} end or change before"


@admin.register(PlanVersion)
class PlanVersionAdmin(ReadOnly, Offered, ModelAdmin):  # type: ignore[misc]
    """What a plan brings, version by version."""

    list_display = ("__str__", "price", "brings", "trial_days", "grace_days", "made")
    list_filter = ("plan",)
    list_select_related = ("plan",)
    fields = (
        "plan", "number", "price", "brings", "rollover", "trial_days", "trial", "grace_days", "features",
        "allowed", "quotas_follow", "created_by", "made",
    )  # fmt: skip

    made = show.moment_of("created_at", "Made")

    def get_readonly_fields(self, request: HttpRequest, obj: PlanVersion | None = None) -> tuple[str, ...]:
        return self.fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlanVersion]:
        return PlanVersion.objects.select_related("plan")

    @admin.display(description="Price")
    def price(self, row: PlanVersion) -> str:
        return f"{say_money(row.price_minor, row.currency)} a {row.interval}" if row.price_minor else "Free"

    @admin.display(description="Credits a month")
    def brings(self, row: PlanVersion) -> SafeString:
        return show.in_unit(row.monthly_credits, row.unit_id)

    @admin.display(description="Rolls over at most")
    def rollover(self, row: PlanVersion) -> str:
        return show.EMPTY if row.rollover_cap is None else show.amount(row.rollover_cap, row.unit_id)

    @admin.display(description="Credits of the trial")
    def trial(self, row: PlanVersion) -> str:
        return show.amount(row.trial_credits, row.unit_id)

    @admin.display(description="Limits")
    def allowed(self, row: PlanVersion) -> SafeString | str:
        lines = [
            (feature or "everything", show.quantity(Decimal(limit)), measure, period, "" if hard else ", soft")
            for feature, period, measure, limit, hard in row.limits
        ]
        return format_html_join("", "<div>{}: {} {} {}{}</div>", lines) or show.EMPTY
