from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing import metered, standing, subscribed
from billing.providers.nats import Bus, BusError, Message


class Command(BaseCommand):
    help = "Publish a message on NATS, as another service would, to try out what it does."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("subject", choices=[*subscribed.HANDLERS, metered.USAGE])
        parser.add_argument("body", help="JSON.")
        parser.add_argument("--id", default="", help="Its message id; by default one that is new.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.NATS_URL:
            raise CommandError("NATS_URL is not set: there is nowhere to publish.")
        message = Message(options["subject"], options["id"] or str(uuid4()), options["body"].encode())
        try:
            with Bus(settings.NATS_URL) as bus:
                bus.ensure(standing.HEARD)
                bus.ensure(standing.METERED)
                bus.publish([[message]])
        except BusError as error:
            raise CommandError(f"It could not be published: {error}") from None
        self.stdout.write(f"{message.subject} {message.id}")
