"""Buying: packs, pages to pay on, the provider's portal, and what was paid."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django_filters import rest_framework as filters
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api import examples
from billing.api.requests import CheckoutRequest, PaymentRefundRequest, PortalRequest
from billing.api.shapes import (
    CheckoutOut,
    PackOut,
    PaymentOut,
    PaymentRefundOut,
    PortalOut,
    print_checkout,
    print_pack,
    print_payment,
    print_refund,
)
from billing.models import Pack, Payment
from billing.services import checkouts
from billing.services.customers import open_portal
from billing.services.refunds import refund_payment
from credits.api.calls import actor, for_owner, perform
from credits.api.pages import Pages
from credits.api.schema import describe
from credits.api.views.base import ApiViewSet
from credits.models import Scope, Unit
from credits.plan import Owner
from subscriptions.queries import newest_version

TAG = "Buying"
CHECKOUT = CheckoutRequest()
PORTAL = PortalRequest()
REFUND = PaymentRefundRequest()


class PackPages(Pages):
    """The cheapest first."""

    ordering = ("price_minor", "code")  # type: ignore[assignment]


class PaymentPages(Pages):
    """Newest first."""

    ordering = ("-occurred_at", "-id")  # type: ignore[assignment]


class PackViewSet(ApiViewSet):
    """What is sold."""

    queryset = Pack.objects.filter(active=True).exclude(price_reference="")
    serializer_class = PackOut
    pagination_class = PackPages

    @describe("List packs", tag=TAG, answer=PackOut(many=True), example=examples.PACK)
    def list(self, request: Request) -> Response:
        """Those that are sold, the cheapest first."""
        return self.answer_page(self.get_queryset(), print_pack)


class CheckoutViewSet(ApiViewSet):
    """Pages to pay on."""

    scopes = {"create": Scope.BILLING_WRITE}

    @describe(
        "Open a page to pay on",
        tag=TAG,
        request=CheckoutRequest,
        asked=examples.BUY,
        answer=CheckoutOut,
        status=201,
        example=examples.CHECKOUT,
        writes=True,
    )
    def create(self, request: Request) -> HttpResponse:
        """For a pack or a plan. Credits and plan follow the payment, within moments, and not the customer's return."""
        asked = CHECKOUT.read(request.data)
        back = checkouts.Return(asked["success_url"], asked["cancel_url"])
        who = actor(request)
        if asked.get("plan"):
            version = newest_version(asked["plan"])
            owner = Owner(asked["account"], version.unit_id)
            return perform(
                request,
                lambda once: checkouts.buy_plan(
                    once=once, owner=owner, version=version, back=back, actor=who, trial=asked["trial"]
                ),
                print_checkout,
            )
        return perform(
            request,
            lambda once: checkouts.buy_pack(
                once=once, owner=asked["account"], pack=asked["pack"], back=back, actor=who
            ),
            print_checkout,
        )


class PortalViewSet(ApiViewSet):
    """The provider's own pages for its customers."""

    scopes = {"create": Scope.BILLING_WRITE}

    @describe(
        "Open the customer portal",
        tag=TAG,
        request=PortalRequest,
        asked={"account": examples.BUY["account"], "return_url": "https://app.example/account"},
        answer=PortalOut,
        status=201,
        example={"url": "https://billing.stripe.com/p/session/123"},
    )
    def create(self, request: Request) -> Response:
        """Where a customer manages cards, sees invoices and cancels. 404 for an account that has bought nothing yet."""
        asked = PORTAL.read(request.data)
        url = for_owner(request, asked["account"], lambda owner: open_portal(owner, asked["return_url"]))
        return Response({"url": url}, status=201)


class PaymentFilter(filters.FilterSet):
    account = filters.CharFilter(method="of_owner", strip=False, label="The owner's external_id.")

    class Meta:
        model = Payment
        fields: list[str] = []

    def of_owner(self, rows: Any, name: str, value: str) -> Any:
        """Keep the payments of an owner's accounts, in every unit."""
        units = Unit.objects.values_list("code", flat=True)
        return rows.filter(account_id__in=[Owner(value, unit).account for unit in units])


class PaymentViewSet(ApiViewSet):
    """What was paid, and what of it went back."""

    scopes = {"refunds": Scope.BILLING_WRITE}
    queryset = Payment.objects.select_related("account", "checkout", "invoice").prefetch_related("credits__movement")
    serializer_class = PaymentOut
    filterset_class = PaymentFilter
    pagination_class = PaymentPages

    @describe("List payments", tag=TAG, answer=PaymentOut(many=True), example=examples.PAYMENT)
    def list(self, request: Request) -> Response:
        """Newest first, as the provider told them last."""
        return self.answer_page(self.filter_queryset(self.get_queryset()), print_payment)

    @describe(
        "Refund a payment",
        tag=TAG,
        request=PaymentRefundRequest,
        asked=examples.REFUND_ASKED,
        answer=PaymentRefundOut,
        status=201,
        example=examples.REFUND,
        writes=True,
    )
    @action(detail=True, methods=["post"])
    def refunds(self, request: Request, pk: str) -> HttpResponse:
        """Give back an amount of it, or all that is left. Its lot is clawed back in proportion; spent ones are owed."""
        asked = REFUND.read(request.data)
        return perform(
            request,
            lambda once: refund_payment(
                once=once,
                payment=pk,
                amount_minor=asked.get("amount_minor"),
                reason=asked["reason"],
                actor=actor(request),
            ),
            print_refund,
        )
