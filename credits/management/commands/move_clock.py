from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from credits.services import clock

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Command(BaseCommand):
    help = (
        "Put the test clock forward, so that what falls due later falls due now. For demonstrations and tests:"
        " refused where TEST_CLOCK is off, as it is in production. Without arguments it tells the time."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        how = parser.add_mutually_exclusive_group()
        how.add_argument("by", nargs="?", help="For example +1d, +36h, +90m, +2w.")
        how.add_argument("--to", help="The moment it shall show, for example 2026-12-01T00:00:00Z.")
        how.add_argument("--at-least", help="The same, and nothing where it shows a later one already.")
        how.add_argument("--reset", action="store_true", help="Go back to the real time.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["reset"]:
                clock.reset()
            elif options["to"]:
                clock.move(_moment(options["to"]) - clock.now())
            elif options["at_least"]:
                ahead = _moment(options["at_least"]) - clock.now()
                if ahead > timedelta():
                    clock.move(ahead)
            elif options["by"]:
                clock.move(_step(options["by"]))
        except (clock.NoTestClock, ValueError, OverflowError) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"The clock shows {clock.now():%Y-%m-%d %H:%M:%S} UTC.")


def _step(text: str) -> timedelta:
    found = re.fullmatch(r"\+?(\d{1,6})([smhdw])", text)
    if not found:
        raise ValueError(f"{text!r} is no step: write for example +1d, +36h or +90m.")
    return timedelta(**{UNITS[found[2]]: int(found[1])})


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no moment: write for example 2026-12-01T00:00:00Z.") from None
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} names no zone: end it with Z for UTC.")
    return moment
