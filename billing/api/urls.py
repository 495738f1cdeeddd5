"""The addresses of billing."""

from __future__ import annotations

from django.urls import include, path

from billing import unsubscribe
from billing.api.dialects.tokens import TokenUsageViewSet
from billing.api.endpoints import EndpointViewSet
from billing.api.topups import AutoTopUpViewSet
from billing.api.views import CheckoutViewSet, PackViewSet, PaymentViewSet, PortalViewSet
from billing.webhooks import receive
from credits.api.urls import Router

dialect_d = Router()
dialect_d.register("", TokenUsageViewSet, basename="tokens")

router = Router()
router.register("packs", PackViewSet, basename="pack")
router.register("checkout", CheckoutViewSet, basename="checkout")
router.register("portal", PortalViewSet, basename="portal")
router.register("payments", PaymentViewSet, basename="payment")
router.register("webhook-endpoints", EndpointViewSet, basename="webhook-endpoint")

urlpatterns = [
    path(
        "api/v1/accounts/<path:external_id>/auto-topup",
        AutoTopUpViewSet.as_view({"get": "read", "put": "set_terms", "delete": "switch_off"}),
    ),
    path("api/v1/", include(router.urls)),
    path("webhooks/stripe", receive),
    path("unsubscribe/<str:token>", unsubscribe.page, name="unsubscribe"),
    path("api/v1/", include(dialect_d.urls)),
]
