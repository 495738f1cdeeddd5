"""Run a fake Stripe for a demo until a signal stops it.

The key is taken from STRIPE_SECRET_KEY, the webhooks' secret from STRIPE_WEBHOOK_SECRET or --secret: a secret on a
command line can be read by every user of the machine.
"""

import argparse
import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from . import KEY, SECRET, FakeStripe
from .errors import invalid


def main() -> None:
    parser = argparse.ArgumentParser(description="A stand-in for Stripe, for demos.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--webhook", action="append", default=[], help="where webhooks go; may be given again")
    parser.add_argument("--secret", default=os.environ.get("STRIPE_WEBHOOK_SECRET", SECRET).split(",")[0])
    parser.add_argument("--state", type=Path, help="a file to remember everything in")
    parser.add_argument(
        "--moves", default="", help="a command that puts another clock forward to a moment: its last word"
    )
    told = parser.parse_args()
    key = os.environ.get("STRIPE_SECRET_KEY") or KEY
    fake = FakeStripe(key=key, secret=told.secret, port=told.port, kept=told.state, on_move=_along(told.moves))
    for url in told.webhook:
        fake.webhooks(url)
    fake.deliveries.start()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        # What fell due while nobody ran it.
        fake.advance(0)
        fake.server.serve_forever()
    fake.save()


def _along(command: str) -> Callable[[int], None]:
    def move(moment: int) -> None:
        if not command:
            return
        words = [*shlex.split(command), f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            why = (done.stderr.strip().splitlines() or ["?"])[-1]
            raise invalid(f"The clock stays, because Florin's could not be put forward: {why}")

    return move


if __name__ == "__main__":
    main()
