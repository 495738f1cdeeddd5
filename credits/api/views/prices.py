"""The price list: features, and what they and AI models cost."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponse
from django_filters import rest_framework as filters
from rest_framework.request import Request
from rest_framework.response import Response

from credits.api import use_examples
from credits.api.calls import actor, perform
from credits.api.pages import FeaturePages
from credits.api.schema import describe
from credits.api.use_requests import FeatureRequest, PriceRequest
from credits.api.use_shapes import FeatureOut, PriceOut, print_feature, print_price
from credits.api.views.base import ApiViewSet
from credits.models import Feature, Price, Scope
from credits.services import prices
from credits.services.once import Once, keep

PRICE = PriceRequest()
FEATURE = FeatureRequest()


class PriceFilter(filters.FilterSet):
    unit = filters.CharFilter(field_name="unit_id")
    feature = filters.CharFilter()
    model = filters.CharFilter()

    class Meta:
        model = Price
        fields: list[str] = []


class PriceViewSet(ApiViewSet):
    """Prices in versions, newest first; those that begin later are there too."""

    queryset = Price.objects.all()
    serializer_class = PriceOut
    filterset_class = PriceFilter
    scopes = {"create": Scope.PRICES_WRITE}

    @describe("List prices", tag="Prices", answer=PriceOut(many=True), example=use_examples.PRICE)
    def list(self, request: Request) -> Response:
        """Every version. In force is the one with the latest `effective_at` until now."""
        return self.answer_page(self.filter_queryset(self.get_queryset()), print_price)

    @describe(
        "Add a price",
        tag="Prices",
        request=PriceRequest,
        asked=use_examples.PRICE_REQUEST,
        answer=PriceOut,
        status=201,
        example=use_examples.PRICE,
        writes=True,
    )
    def create(self, request: Request) -> HttpResponse:
        """A new version: what was charged before stays as it was. Figures must be greater than zero."""
        asked = PRICE.read(request.data)
        offer = prices.Offer(
            unit=asked.get("unit", settings.DEFAULT_UNIT),
            scheme=asked["scheme"],
            terms=asked["terms"],
            feature=asked.get("feature", ""),
            model=asked.get("model", ""),
            effective_at=asked.get("effective_at"),
            note=asked.get("note", ""),
        )
        by = actor(request).name

        def add(once: Once | None) -> Price:
            return keep(once=once, act=lambda: prices.add_prices(offers=[offer], actor=by)[0])

        return perform(request, add, print_price)


class FeatureViewSet(ApiViewSet):
    """The catalogue of what is sold by use."""

    queryset = Feature.objects.all()
    serializer_class = FeatureOut
    pagination_class = FeaturePages
    scopes = {"create": Scope.PRICES_WRITE}

    @describe("List features", tag="Prices", answer=FeatureOut(many=True), example=use_examples.FEATURE)
    def list(self, request: Request) -> Response:
        """By code."""
        return self.answer_page(self.get_queryset(), print_feature)

    @describe(
        "Add a feature",
        tag="Prices",
        request=FeatureRequest,
        asked=use_examples.FEATURE,
        answer=FeatureOut,
        status=201,
        example=use_examples.FEATURE,
        writes=True,
    )
    def create(self, request: Request) -> HttpResponse:
        """Plans that were made before do not enable it. One that is known stays as it is."""
        asked = FEATURE.read(request.data)

        def add(once: Once | None) -> Feature:
            return keep(
                once=once,
                act=lambda: prices.add_feature(
                    code=asked["code"], name=asked.get("name", ""), description=asked.get("description", "")
                ),
            )

        return perform(request, add, print_feature)
