"""A worker that is killed at a point of its work on the next event: python -m tests.billing.dying POINT."""

from __future__ import annotations

import os
import signal
import sys

import django

if __name__ == "__main__":
    django.setup()

from billing import handlers  # models come after the set-up
from billing.models import ProviderEvent
from billing.services import inbox

POINTS = ("claimed", "looked up", "applied", "ended")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def look_up(event: ProviderEvent) -> inbox.Apply:
    if sys.argv[1] == "claimed":
        die()
    apply = handlers.look_up(event)
    if sys.argv[1] == "looked up":
        die()

    def then_die() -> None:
        apply()
        if sys.argv[1] == "applied":
            die()

    return then_die


if __name__ == "__main__":
    inbox.process_due_events(look_up, most=1)
    die()
