"""Every address of the service."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import TemplateView

from config.health import alive, ready
from config.metrics.view import metrics

urlpatterns = [
    path("", TemplateView.as_view(template_name="index.html")),
    path("admin/", admin.site.urls),
    path("metrics", metrics),
    path("health/live", alive),
    path("health/ready", ready),
    path("", include("billing.api.urls")),
    path("", include("subscriptions.api.urls")),
    path("", include("credits.api.urls")),
]

handler400 = "config.errors.bad_request"
handler404 = "config.errors.not_found"
handler500 = "config.errors.server_error"
