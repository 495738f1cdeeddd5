"""The buttons of a webhook endpoint that ask nothing but whether to go on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect

from billing.admin.endpoint_forms import RotationForm
from billing.models import DeliveryStatus, EndpointStatus, WebhookEndpoint, WebhookSecret
from billing.services import endpoints, replays
from billing.tasks import nudge_news
from credits.admin import show
from credits.admin.asking import OFF, ON, ask, render
from credits.admin.buttons import button
from credits.refusals import Refusal

TEST = "An event that means nothing (evt.webhooks.ping) is sent now, past all that waits. It takes up to 15 seconds."
DISABLE = "Nothing is sent there any more. What waits goes on waiting; what happens meanwhile is not sent later."
ENABLE = "What waits is sent, and what happens from now on. Its failures are forgotten."
DELETE = (
    "Nothing is sent there ever again, not even what waits. Its secrets are deleted; what was sent stays to be seen."
)


class EndpointVerbs:
    """What can be done to an endpoint."""

    log_change: Any
    get_object: Any

    def _row(self, request: HttpRequest, object_id: str) -> WebhookEndpoint:
        row = self.get_object(request, object_id)
        if row is None or row.status == EndpointStatus.DELETED:
            raise Http404("There is no such webhook endpoint.")
        found: WebhookEndpoint = row
        return found

    @button("Test", path="test", icon="network_ping", permission="manage_webhookendpoint")
    def test(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then send a test and tell what came of it."""
        row = self._row(request, object_id)
        home = show.page_of(WebhookEndpoint, row.pk)
        if request.method != "POST":
            return ask(self, request, title="Test the endpoint", explained=TEST, back=home)
        sent = replays.ping_endpoint(row)
        self.log_change(request, row, f"Tested {row}: {sent.get_status_display().lower()} {sent.error}".strip())
        if sent.status == DeliveryStatus.DELIVERED:
            messages.success(request, f"It answered {sent.answer} after {sent.milliseconds} ms.")
        else:
            messages.error(request, sent.error)
        return HttpResponseRedirect(home)

    @button("Rotate secret", path="rotate", icon="key", permission="manage_webhookendpoint")
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask how long both sign, then make a secret and show it on the page that answers, which nothing stores.

        The form carries the secret that is the newest when it is shown, so that a second press rotates nothing.
        """
        row = self._row(request, object_id)
        newest = str(WebhookSecret.objects.filter(endpoint=row).values_list("pk", flat=True).first())
        home = show.page_of(WebhookEndpoint, row.pk)
        form = RotationForm(request.POST or None, initial=RotationForm.usual())
        if request.method == "POST" and form.is_valid():
            if request.POST.get("draft") != newest:
                messages.info(request, "It was rotated before. Its secret was shown then and cannot be shown again.")
                return HttpResponseRedirect(home)
            try:
                with transaction.atomic():
                    hours = form.cleaned_data["overlap_hours"]
                    row, secret = endpoints.rotate_secret(row, overlap=timedelta(hours=hours))
                    self.log_change(request, row, f"Rotated the secret of {row}; the old one signs {hours} hours more.")
            except Refusal as refusal:
                form.add_error("overlap_hours", refusal.detail)
            else:
                title = "Secret rotated"
                return render(
                    self, request, "admin/billing/endpoint/secret.html", title=title, row=row, secret=secret
                )  # fmt: skip
        return render(
            self, request, "admin/billing/endpoint/form.html", title="Rotate the secret", form=form, draft=newest,
            back=home, go="Rotate it",
        )  # fmt: skip

    @button("Disable or enable", path="switch", icon="power_settings_new", permission="manage_webhookendpoint")
    def switch(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then disable it, or enable it again."""
        row = self._row(request, object_id)
        home = show.page_of(WebhookEndpoint, row.pk)
        active = row.status == EndpointStatus.ACTIVE
        if request.method != "POST" or request.POST.get("to") not in {ON, OFF}:
            title = "Disable the endpoint" if active else "Enable the endpoint"
            explained, to = (DISABLE, OFF) if active else (ENABLE, ON)
            return ask(self, request, title=title, explained=explained, back=home, to=to)
        if active == (request.POST["to"] == ON):
            messages.info(request, f"It is {'enabled' if active else 'disabled'} already.")
            return HttpResponseRedirect(home)
        with transaction.atomic():
            if active:
                endpoints.disable_endpoint(row, reason=f"Disabled by {request.user.get_username()}")
            else:
                endpoints.enable_endpoint(row)
                transaction.on_commit(nudge_news)
            self.log_change(request, row, f"Disabled {row}." if active else f"Enabled {row}.")
        messages.success(request, "It is disabled." if active else "It is enabled.")
        return HttpResponseRedirect(home)

    @button("Delete", path="delete-for-good", icon="delete", permission="manage_webhookendpoint", danger=True)
    def delete_for_good(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then send nothing there ever again."""
        row = self._row(request, object_id)
        home = show.page_of(WebhookEndpoint, row.pk)
        if request.method != "POST":
            return ask(self, request, title="Delete the endpoint", explained=DELETE, back=home)
        with transaction.atomic():
            endpoints.delete_endpoint(row, reason=f"Deleted by {request.user.get_username()}")
            self.log_change(request, row, f"Deleted {row}.")
        messages.success(request, "It is deleted.")
        return HttpResponseRedirect(home)
