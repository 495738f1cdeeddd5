"""The addresses of plans and subscriptions. They come before the ledger's, whose account ids may hold slashes."""

from __future__ import annotations

from django.urls import include, path

from credits.api import fields
from credits.api.urls import Router
from subscriptions.api.dialects.nextapp import NextAppSubscriptionViewSet
from subscriptions.api.views.entitlements import EntitlementsViewSet
from subscriptions.api.views.plans import PlanViewSet
from subscriptions.api.views.subscriptions import SubscriptionViewSet

# An id that ended so would be taken for an address of ours.
fields.LAST_WORDS |= {"upgrade", "cancel"}

router = Router()
router.register("plans", PlanViewSet, basename="plan")
router.register("subscriptions", SubscriptionViewSet, basename="subscription")

urlpatterns = [
    path("api/v1/", include(router.urls)),
    path("api/v1/accounts/<path:external_id>/entitlements", EntitlementsViewSet.as_view({"get": "retrieve"})),
    path("api/subscriptions/<path:user_id>/upgrade", NextAppSubscriptionViewSet.as_view({"post": "upgrade"})),
    path("api/subscriptions/<path:user_id>/cancel", NextAppSubscriptionViewSet.as_view({"post": "cancel"})),
    path("api/subscriptions/<path:user_id>/quotas", NextAppSubscriptionViewSet.as_view({"get": "quotas"})),
    path("api/subscriptions/<path:user_id>", NextAppSubscriptionViewSet.as_view({"get": "retrieve"})),
]
