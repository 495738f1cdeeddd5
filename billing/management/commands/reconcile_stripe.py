from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from billing.jobs import process_inbox
from billing.models import Difference
from billing.services import comparison, reconciliation
from billing.services.comparison import Found
from credits.refusals import Refusal


class Command(BaseCommand):
    help = "Take in the events of Stripe that did not come, process them, and list what differs then. Exit 1 on any."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--since", help="from when, for example 2026-10-08T16:30:00Z; by default 72 hours ago")
        parser.add_argument("--dry-run", action="store_true", help="only list what is missing and what differs")

    def handle(self, *_args: Any, **options: Any) -> None:
        since = _moment(options["since"]) if options["since"] else timezone.now() - reconciliation.LOOK_BACK
        try:
            if options["dry_run"]:
                compared = reconciliation.compare_events(since=since)
                self._list(compared)
                found = [*map(comparison.unreadable, compared.unreadable), *comparison.compare(since=since)]
                differences = [_line(each) for each in found]
            else:
                taken = reconciliation.take_in_missing(since=since)
                self.stdout.write(f"{taken} events taken in, {process_inbox()} processed.")
                reconciliation.list_differences(since=since)
                differences = [_line(each) for each in Difference.objects.filter(resolved_at=None).order_by("id")]
        except Refusal as refusal:
            raise CommandError(refusal.detail) from refusal
        for line in differences:
            self.stdout.write(line)
        if differences:
            raise CommandError(f"{len(differences)} differences.")
        self.stdout.write("No differences.")

    def _list(self, compared: reconciliation.Compared) -> None:
        for event in compared.missing:
            self.stdout.write(f"{event.created:%Y-%m-%d %H:%M:%S} {event.type} {event.id}")
        self.stdout.write(f"{len(compared.missing)} of {compared.told} events are missing.")


def _line(found: Found | Difference) -> str:
    return f"{found.kind} {found.subject}: {found.field}: ours {found.ours}, theirs {found.theirs}"


def _moment(text: str) -> datetime:
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise CommandError(f"{text} is no time with its zone, such as 2026-10-08T16:30:00Z.")
    return moment
