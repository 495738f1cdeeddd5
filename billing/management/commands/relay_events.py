from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing import standing
from billing.services import relay


class Command(BaseCommand):
    help = "Publish events on NATS until it is stopped; several may run. --from EVENT publishes again from there on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--from",
            dest="first",
            type=int,
            metavar="EVENT",
            help="Set publishing back to this event, let the relays that run do it, and end.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["first"] is not None:
            if options["first"] < 1:
                raise CommandError("Events are numbered from 1.")
            relay.replay_from(options["first"])
            self.stdout.write(f"Events are published again from {options['first']} on.")
            return
        if not settings.NATS_URL:
            raise CommandError("NATS_URL is not set: there is nowhere to publish.")
        standing.keep(standing.relay, standing.stop_on_signals())
