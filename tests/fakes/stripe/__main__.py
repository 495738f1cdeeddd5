"""Run a fake Stripe for a demo until a signal stops it.

The key is taken from STRIPE_SECRET_KEY, the webhooks' secret from STRIPE_WEBHOOK_SECRET or --secret: a secret on a
command line can be read by every user of the machine.
"""

import argparse
import contextlib
import os
import signal
from pathlib import Path

from . import KEY, SECRET, FakeStripe


def main() -> None:
    parser = argparse.ArgumentParser(description="A stand-in for Stripe, for demos.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--webhook", action="append", default=[], help="where webhooks go; may be given again")
    parser.add_argument("--secret", default=os.environ.get("STRIPE_WEBHOOK_SECRET", SECRET).split(",")[0])
    parser.add_argument("--state", type=Path, help="a file to remember everything in")
    told = parser.parse_args()
    key = os.environ.get("STRIPE_SECRET_KEY") or KEY
    fake = FakeStripe(key=key, secret=told.secret, port=told.port, kept=told.state)
    for url in told.webhook:
        fake.webhooks(url)
    fake.deliveries.start()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        # What fell due while nobody ran it.
        fake.advance(0)
        fake.server.serve_forever()
    fake.save()


if __name__ == "__main__":
    main()
