"""Every address of the service."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import TemplateView

from config import second_factor
from config.health import alive, detailed, ready
from config.metrics.view import metrics
from credits.admin import answers, find, reports

urlpatterns = [
    path("", TemplateView.as_view(template_name="index.html")),
    path("admin/find/", admin.site.admin_view(find.page), name="desk-find"),
    path("admin/find/answer/", admin.site.admin_view(answers.page), name="desk-answer"),
    path("admin/second-factor/", admin.site.admin_view(second_factor.page), name="second-factor"),
    path("admin/reports/", admin.site.admin_view(reports.page), name="desk-reports"),
    path("admin/reports/<slug:name>/", admin.site.admin_view(reports.page), name="desk-report"),
    path("admin/", admin.site.urls),
    path("metrics", metrics),
    path("health/live", alive),
    path("health/ready", ready),
    path("api/v1/health/detailed", detailed),
    path("", include("billing.api.urls")),
    path("", include("subscriptions.api.urls")),
    path("", include("credits.api.urls")),
]

handler400 = "config.errors.bad_request"
handler403 = "config.errors.refused"
handler404 = "config.errors.not_found"
handler500 = "config.errors.server_error"
