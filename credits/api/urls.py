"""The addresses of the API: the native one, and the predecessors' beside it."""

from __future__ import annotations

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerView
from rest_framework.routers import Route, SimpleRouter

from credits.api.dialects.lotti import LottiViewSet
from credits.api.dialects.merchant import MerchantViewSet
from credits.api.dialects.nextapp import NextAppViewSet
from credits.api.dialects.shieldx import ShieldxViewSet
from credits.api.dialects.shieldx_use import TenantUseViewSet
from credits.api.views.accounts import AccountViewSet
from credits.api.views.batches import BatchViewSet
from credits.api.views.events import EventTypeViewSet, EventViewSet
from credits.api.views.health import health
from credits.api.views.holds import HoldViewSet
from credits.api.views.prices import FeatureViewSet, PriceViewSet
from credits.api.views.transactions import TransactionViewSet
from credits.api.views.transfers import TransferViewSet
from credits.api.views.usage import UsageViewSet


class Router(SimpleRouter):
    """Tries the addresses below a resource before the resource itself: an account's id may hold slashes."""

    routes = sorted(SimpleRouter.routes, key=lambda route: isinstance(route, Route) and route.detail)

    def __init__(self) -> None:
        super().__init__(trailing_slash=False)


router = Router()
router.register("accounts", AccountViewSet, basename="account")
router.register("transactions", TransactionViewSet, basename="transaction")
router.register("holds", HoldViewSet, basename="hold")
router.register("transfers", TransferViewSet, basename="transfer")
router.register("batches", BatchViewSet, basename="batch")
router.register("usage", UsageViewSet, basename="usage")
router.register("prices", PriceViewSet, basename="price")
router.register("features", FeatureViewSet, basename="feature")
router.register("events", EventViewSet, basename="event")

dialect_a = Router()
dialect_a.register("", LottiViewSet, basename="lotti")
dialect_b = Router()
dialect_b.register("credits", ShieldxViewSet, basename="shieldx")

urlpatterns = [
    path("health", health),
    path("api/v1/health", health),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    path("api/redoc", SpectacularRedocView.as_view(url_name="schema"), name="redoc"),
    path("api/v1/event-types", EventTypeViewSet.as_view({"get": "types"})),
    path("api/v1/", include(router.urls)),
    path("api/v1/", include(dialect_a.urls)),
    path("api/v1/", include(dialect_b.urls)),
    path("api/v1/credits/balance/<path:tenant_id>", ShieldxViewSet.as_view({"get": "balance"})),
    path("api/v1/credits/history/<path:tenant_id>", ShieldxViewSet.as_view({"get": "history"})),
    path("api/v1/credits/stats/<path:tenant_id>", TenantUseViewSet.as_view({"get": "stats"})),
    path("api/v1/credits/plugin-status/<path:merchant_id>", MerchantViewSet.as_view({"get": "plugin_status"})),
    path("api/v1/credits/accounts/<path:merchant_id>/balance", MerchantViewSet.as_view({"get": "balance"})),
    path("api/v1/credits/accounts/<path:merchant_id>", MerchantViewSet.as_view({"get": "account"})),
    path("api/v1/credits/transactions", MerchantViewSet.as_view({"get": "transactions"})),
    path("api/v1/credits/transactions/<str:transaction>", MerchantViewSet.as_view({"get": "transaction"})),
    path("api/v1/credits/quotas/<path:tenant_id>", TenantUseViewSet.as_view({"get": "quotas", "put": "set_quotas"})),
    path("api/credits/<path:user_id>/balance", NextAppViewSet.as_view({"get": "balance"})),
    path("api/credits/<path:user_id>/history", NextAppViewSet.as_view({"get": "history"})),
    path("api/credits/<path:user_id>/add", NextAppViewSet.as_view({"post": "add"})),
    path("api/credits/<path:user_id>/deduct", NextAppViewSet.as_view({"post": "deduct"})),
    path("api/credits/<path:user_id>/transfer", NextAppViewSet.as_view({"post": "transfer"})),
]
