"""The addresses of billing."""

from __future__ import annotations

from django.urls import include, path

from billing.api.dialects.tokens import TokenUsageViewSet
from billing.webhooks import receive
from credits.api.urls import Router

dialect_d = Router()
dialect_d.register("", TokenUsageViewSet, basename="tokens")

urlpatterns = [
    path("webhooks/stripe", receive),
    path("api/v1/", include(dialect_d.urls)),
]
