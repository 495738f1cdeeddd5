"""A worker that is killed at a point of sending the next webhook: python -m tests.webhooks.dying POINT."""

from __future__ import annotations

import os
import signal
import sys

import django

if __name__ == "__main__":
    django.setup()

from django.db import transaction  # models come after the set-up

from billing.services import deliveries, fanout

READING = ("read", "written down")
SENDING = ("claimed", "sent", "recorded", "ended")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def work(point: str) -> None:
    """Do a worker's work, and die at the point."""
    if point == "read":
        with transaction.atomic():
            fanout.fan_out()
            die()
    fanout.fan_out()
    if point == "written down":
        die()
    turn = deliveries.claim()
    assert turn is not None
    if point == "claimed":
        die()
    outcome = deliveries.request(turn.endpoint, turn.delivery, turn.secrets)
    if point == "sent":
        die()
    with transaction.atomic():
        deliveries.record(turn, outcome)
        if point == "recorded":
            die()
    die()


if __name__ == "__main__":
    work(sys.argv[1])
