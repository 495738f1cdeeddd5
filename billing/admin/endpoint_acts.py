"""The buttons of a webhook endpoint that ask something before they do it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db import transaction
from django.http import Http404, HttpRequest

from billing.admin.endpoint_forms import ReplayForm, TermsForm
from billing.models import DeliveryStatus, WebhookDelivery, WebhookEndpoint
from billing.providers.addresses import AddressRefused, checked_url
from billing.services import endpoints, replays
from billing.tasks import nudge_news
from credits.admin import show
from credits.admin.acts import Act
from credits.admin.confirmation import digest
from credits.admin.previews import Change
from credits.refusals import InvalidField
from credits.services.once import Once, keep

ALL = "All"


class EndpointAct(Act):
    """A button on the page of an endpoint."""

    def __init__(self, admin: Any, request: HttpRequest, object_id: str) -> None:
        super().__init__(admin, request)
        row = admin.get_object(request, object_id)
        if row is None:
            raise Http404("There is no such webhook endpoint.")
        self.row: WebhookEndpoint = row

    @property
    def subject(self) -> WebhookEndpoint:
        """The endpoint."""
        return self.row

    @property
    def home(self) -> str:
        """The page of the endpoint."""
        return show.page_of(WebhookEndpoint, self.row.pk)

    def look(self, data: dict[str, Any]) -> Any:
        return self.row

    def hold(self, once: Once, data: dict[str, Any]) -> Any:
        """Return the endpoint, locked."""
        self.row = WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=self.row.pk)
        once.check(once.find())
        return self.row

    def record(self, done: Any, data: dict[str, Any]) -> None:
        """Log it with the endpoint."""
        self.admin.log_change(self.request, self.row, self.said(done, data))


class ChangeEndpoint(EndpointAct):
    path, title, permission = "edit", "Change the endpoint", "billing.manage_webhookendpoint"
    does = "What waits goes to the new address too. The filter holds for what happens from now on."
    form_class = TermsForm

    def form(self, data: Any = None) -> forms.Form:
        row = self.row
        return TermsForm(
            data, initial={"url": row.url, "description": row.description, "event_types": row.event_types}
        )  # fmt: skip

    def figures(self, state: Any, data: dict[str, Any]) -> str:
        """Return a digest of the terms as they are."""
        return digest([state.url, state.description, state.event_types, state.status])

    def foresee(self, state: Any, data: dict[str, Any]) -> list[Change]:
        """Return what would change. Raises InvalidField for an address that may not be sent to."""
        try:
            url = checked_url(data["url"])
        except AddressRefused as refused:
            raise InvalidField("url", str(refused)) from None
        pairs = [
            ("Address", state.url, url),
            ("Events", _types(state.event_types), _types(data["event_types"])),
            ("Description", state.description or show.EMPTY, data["description"] or show.EMPTY),
        ]
        changes = [Change(label, before, after) for label, before, after in pairs if before != after]
        if not changes:
            raise InvalidField("url", "Nothing would change.")
        return changes

    def asked(self, form: forms.Form) -> list[tuple[str, str]]:
        """Return nothing: the preview says it."""
        return []

    def act(self, once: Once, data: dict[str, Any]) -> WebhookEndpoint:
        return keep(once=once, act=lambda: endpoints.change_endpoint(self.row, **data))

    def said(self, done: Any, data: dict[str, Any]) -> str:
        changed = "; ".join(f"{each.label}: {each.before} → {each.after}" for each in self.changes)
        return f"Changed {changed}."


class ReplayFailed(EndpointAct):
    path, title, permission = "replay-failed", "Send again what failed", "billing.replay_webhookdelivery"
    does = "Each is sent again in order, under the id it had: a receiver that took it before can tell."
    form_class = ReplayForm

    def look(self, data: dict[str, Any]) -> int:
        """Return how many failed."""
        rows = WebhookDelivery.objects.filter(
            endpoint=self.row, status=DeliveryStatus.FAILED, event__isnull=False
        )  # fmt: skip
        return (rows.filter(occurred_at__gte=data["since"]) if data["since"] else rows).count()

    def hold(self, once: Once, data: dict[str, Any]) -> int:
        """Return how many failed, with the endpoint locked."""
        super().hold(once, data)
        return self.look(data)

    def figures(self, state: Any, data: dict[str, Any]) -> str:
        """Return a digest of how many there are."""
        return digest([state, self.row.status])

    def foresee(self, state: Any, data: dict[str, Any]) -> list[Change]:
        """Return how many would be sent. Raises InvalidField where there is none."""
        if not state:
            raise InvalidField("since", "Nothing failed.")
        waits = "wait until it is enabled" if self.row.disabled_at else "are sent"
        return [Change("Failed deliveries", f"{state:,}", "0", f"{state:,} {waits}")]

    def act(self, once: Once, data: dict[str, Any]) -> int:
        transaction.on_commit(nudge_news)
        return keep(once=once, act=lambda: replays.replay_failed(self.row, since=data["since"]))

    def said(self, done: Any, data: dict[str, Any]) -> str:
        return f"{done:,} deliveries are sent again." if done != 1 else "1 delivery is sent again."


def _types(types: list[str]) -> str:
    return ", ".join(types) or ALL
