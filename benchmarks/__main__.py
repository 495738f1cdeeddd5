"""Measure, print ratios, write a JSON file.

    python -m benchmarks [--quick] [--only NAME]… [--rounds N] [--json FILE]

Runs where DATABASE_URL and REDIS_URL name servers (`make bench` starts them): everything happens in a scratch database
that is dropped afterwards.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

import django

from benchmarks.scratch import scratch_database


def main() -> int:
    """Serve the command line and return the exit status: 0 where everything could be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Florin against its rivals.")
    parser.add_argument("--quick", action="store_true", help="short rounds and a shorter longest history: under 90 s")
    parser.add_argument("--only", action="append", metavar="NAME", help="measure this figure alone (may be repeated)")
    parser.add_argument("--json", type=Path, default=Path(".florin/bench.json"), help="where to write everything")
    parser.add_argument("--rounds", type=int, help="turns of each contest (7; quick 3)")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGHUP, _stop)
    started = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - started:5.0f} s  {line}", file=sys.stderr, flush=True)

    with scratch_database():
        django.setup()
        from benchmarks.run import NAMES, run  # noqa: PLC0415  # models can be imported from here on

        if unknown := set(asked.only or ()) - set(NAMES):
            parser.error(f"There is no figure {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}.")
        run(asked, say)
    return 0


def _stop(number: int, _frame: object) -> NoReturn:
    """End as after an exception, so that servers and database go too."""
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
