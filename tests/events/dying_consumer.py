"""A consumer that is killed when what a message means is committed, before NATS hears of it."""

from __future__ import annotations

import os
import signal
from typing import Any

import django

if __name__ == "__main__":
    django.setup()

from billing import standing  # models come after the set-up
from billing.providers.nats import Inlet


def die(self: Inlet, deliveries: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    Inlet.acknowledge = die  # type: ignore[method-assign]
    standing.stand(standing.consumers(), standing.stop_on_signals())
