"""Receivers on this machine, and endpoints that lead to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from billing.models import WebhookDelivery, WebhookEndpoint
from billing.services import deliveries, endpoints, fanout
from tests.fakes.receiver import Receiver

MOVEMENTS = ["evt.credits.recharged", "evt.credits.consumed"]


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.WEBHOOK_LOOPBACK, settings.WEBHOOK_TIMEOUT_SECONDS = True, 1
    with Receiver() as receiver:
        yield receiver


class Hook:
    """An endpoint, its secret, and the receiver that it leads to."""

    def __init__(self, receiver: Receiver, **said: Any) -> None:
        self.receiver = receiver
        self.endpoint, self.secret = endpoints.make_endpoint(url=receiver.url, **said)
        receiver.secret = self.secret

    @property
    def row(self) -> WebhookEndpoint:
        return WebhookEndpoint.objects.get(pk=self.endpoint.pk)

    @property
    def deliveries(self) -> list[WebhookDelivery]:
        return list(WebhookDelivery.objects.filter(endpoint=self.endpoint).order_by("id"))

    @property
    def statuses(self) -> list[str]:
        return [each.status for each in self.deliveries]

    def work(self, **when: Any) -> int:
        """Let a worker make deliveries of what is new, and send what is due."""
        fanout.fan_out()
        return deliveries.send_due(**when)


@pytest.fixture
def hook(committed: None, receiver: Receiver) -> Hook:
    """An endpoint for what comes in and is used, of anybody."""
    return Hook(receiver, event_types=MOVEMENTS)
