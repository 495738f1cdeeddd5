"""Packs and the prices of plans: what is sold, and the buttons that change it."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from billing.admin.shelf import ChangePack, MapPrice, NewPack, SellPack
from billing.models import Pack, PlanPrice
from billing.services import catalogue
from billing.services.catalogue import Cost, cost_of
from credits.admin import show
from credits.admin.asking import ask
from credits.admin.buttons import button
from credits.admin.logged import actor_of, request_id
from credits.admin.lookups import Offered
from credits.admin.policies import ReadOnly
from credits.refusals import Refusal
from credits.services.staff import Told, record_act

PUBLISH = "It gets a price at the payment provider's, or takes the one that stands there under our name:"


@admin.register(Pack)
class PackAdmin(ReadOnly, Offered, ModelAdmin):  # type: ignore[misc]
    """What is sold. Who has a page open keeps the terms that it was opened on."""

    list_display = ("name", "code", "brings", "price", "expires_after_days", "active", "price_reference")
    list_filter = ("active",)
    fields = ("code", "name", "brings", "price", "expires_after_days", "active", "price_reference", "made")
    actions_list = ("new_pack", "publish")
    actions_detail = ("edit_pack", "retire_pack")

    made = show.moment_of("created_at", "Made")

    def get_readonly_fields(self, request: HttpRequest, obj: Pack | None = None) -> tuple[str, ...]:
        return self.fields

    @admin.display(description="Brings")
    def brings(self, row: Pack) -> SafeString:
        return show.in_unit(row.credits, row.unit_id)

    @admin.display(description="Price")
    def price(self, row: Pack) -> str:
        return str(Cost(row.price_minor, row.currency))

    def has_new_pack_permission(self, request: HttpRequest) -> bool:
        return NewPack.allowed(request)

    def has_change_terms_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return ChangePack.allowed(request)

    @button("New pack", path=NewPack.path, icon="add", permission="new_pack")
    def new_pack(self, request: HttpRequest) -> HttpResponse:
        return NewPack(self, request).answer()

    @button("Publish", path="publish", icon="publish", permission="change_terms")
    def publish(self, request: HttpRequest) -> HttpResponse:
        """Ask, then give what is sold its prices at the provider's."""
        home = reverse("admin:billing_pack_changelist")
        if request.method != "POST":
            waits = catalogue.unpublished()
            explained = f"{PUBLISH} {'; '.join(waits)}." if waits else "Everything that is sold has its price."
            return ask(self, request, title="Publish what is sold", explained=explained, back=home)
        try:
            added, found = catalogue.publish_catalogue(), catalogue.compare_catalogue()
        except Refusal as refusal:
            messages.error(request, refusal.detail)
            return HttpResponseRedirect(home)
        what = f"Published: {added} prices added."
        told = Told(subject="Catalogue", request_id=request_id(request))
        record_act(actor=actor_of(request), action="publish-catalogue", what=what, told=told)
        messages.success(request, what)
        for line in found:
            messages.warning(request, line)
        return HttpResponseRedirect(home)

    @button("Change", path=ChangePack.path, icon="edit", permission="change_terms")
    def edit_pack(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return ChangePack(self, request, object_id).answer()

    @button("Retire or sell again", path=SellPack.path, icon="sell", permission="change_terms")
    def retire_pack(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return SellPack(self, request, object_id).answer()


@admin.register(PlanPrice)
class PlanPriceAdmin(ReadOnly, Offered, ModelAdmin):  # type: ignore[misc]
    """Which of the provider's prices pays for which version of a plan."""

    list_display = ("version", "costs", "price_reference", "since")
    list_display_links = ("version",)
    fields = ("version", "costs", "price_reference", "since")
    actions_list = ("map_price",)

    since = show.moment_of("created_at", "Since")

    def get_readonly_fields(self, request: HttpRequest, obj: PlanPrice | None = None) -> tuple[str, ...]:
        return self.fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlanPrice]:
        return PlanPrice.objects.select_related("plan_version")

    @admin.display(description="Plan version")
    def version(self, row: PlanPrice) -> str:
        return str(row.plan_version)

    @admin.display(description="Costs")
    def costs(self, row: PlanPrice) -> str:
        return str(cost_of(row.plan_version))

    def has_map_price_permission(self, request: HttpRequest) -> bool:
        return MapPrice.allowed(request)

    @button("Map a price", path=MapPrice.path, icon="add_link", permission="map_price")
    def map_price(self, request: HttpRequest) -> HttpResponse:
        return MapPrice(self, request).answer()
