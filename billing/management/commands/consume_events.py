from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from billing import standing


class Command(BaseCommand):
    help = (
        "Apply what NATS tells (orders, payments, merchants, adjustments, usage) until it is stopped; several may run."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.NATS_URL:
            raise CommandError("NATS_URL is not set: there is nothing to listen to.")
        standing.stand(standing.consumers(), standing.stop_on_signals())
