from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from billing.jobs import process_inbox
from billing.services import reconciliation
from credits.refusals import Refusal


class Command(BaseCommand):
    help = "Take in the events that Stripe told and that did not come, and process them. Stripe remembers 30 days."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--since", help="from when, for example 2026-10-08T16:30:00Z; by default 72 hours ago")
        parser.add_argument("--dry-run", action="store_true", help="only list what is missing")

    def handle(self, *_args: Any, **options: Any) -> None:
        since = _moment(options["since"]) if options["since"] else timezone.now() - reconciliation.LOOK_BACK
        try:
            if options["dry_run"]:
                self._list(reconciliation.compare_events(since=since))
                return
            taken = reconciliation.take_in_missing(since=since)
        except Refusal as refusal:
            raise CommandError(refusal.detail) from refusal
        self.stdout.write(f"{taken} events taken in, {process_inbox()} processed.")

    def _list(self, compared: reconciliation.Compared) -> None:
        for event in compared.missing:
            self.stdout.write(f"{event.created:%Y-%m-%d %H:%M:%S} {event.type} {event.id}")
        self.stdout.write(f"{len(compared.missing)} of {compared.told} events are missing.")


def _moment(text: str) -> datetime:
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise CommandError(f"{text} is no time with its zone, such as 2026-10-08T16:30:00Z.")
    return moment
