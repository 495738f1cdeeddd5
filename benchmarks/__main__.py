"""Measure, print ratios, write a JSON file.

    python -m benchmarks [--quick] [--only NAME]… [--json FILE]

Runs where DATABASE_URL and REDIS_URL name servers (`make bench` starts them): everything happens in a scratch database
that is dropped afterwards.
"""

from __future__ import annotations

import argparse
import signal
import statistics
import sys
import time
from pathlib import Path
from typing import NoReturn

NAMES = ("debit", "floor", "history", "hot", "batch", "latency", "past")


def main() -> int:
    """Serve the command line and return the exit status: 0 where everything could be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Florin against its rivals.")
    parser.add_argument("--quick", action="store_true", help="short rounds and a shorter longest history: under 90 s")
    parser.add_argument("--only", action="append", choices=NAMES, help="measure this figure alone (may be repeated)")
    parser.add_argument("--json", type=Path, default=Path(".florin/bench.json"), help="where to write everything")
    parser.add_argument("--rounds", type=int, help="turns of each contest (7; quick 3)")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGHUP, _stop)
    started = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - started:5.0f} s  {line}", file=sys.stderr, flush=True)

    from benchmarks.scene import set_up

    with set_up(0.8 if asked.quick else 2.0) as scene:
        # Below here Django is set up, and what imports models can be imported.
        from django.core.management import call_command

        from benchmarks import report
        from benchmarks.contests import LONG, Contests

        about = report.machine()
        rounds = asked.rounds or (3 if asked.quick else 7)
        contests = Contests(scene, rounds, say)
        if asked.quick:
            contests.longest, contests.long_accounts = LONG, 4
        figures = contests.run(set(asked.only or NAMES))
        say("Auditing the books of everything that was posted")
        call_command("audit_books")
        share = statistics.median(scene.client_share or [0.0])
        cpu = {name: round(statistics.median(costs)) for name, costs in scene.cpu.items()}
        notes = {"client_share_of_a_core": share, "cpu_us_a_request": cpu, "seconds": time.monotonic() - started}
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    print(report.table(figures))
    print(
        f"processor µs a request: {', '.join(f'{name} {cost}' for name, cost in cpu.items())}; client {share:.0%} of a core"
    )
    report.write(asked.json, about, figures, notes)
    return 0


def _stop(number: int, frame: object) -> NoReturn:
    """End as after an exception, so that servers and database go too."""
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
