"""One run: both services up, the contests, the audit, the report. Imported once Django is set up."""

from __future__ import annotations

import statistics
import time
from argparse import Namespace
from collections.abc import Callable

from django.core.management import call_command

from benchmarks import desk, report
from benchmarks.contests import LONG, Contests
from benchmarks.metering import Metering
from benchmarks.outbox import Outbox
from benchmarks.scene import set_up
from benchmarks.webhooks import Webhooks

NAMES = (
    *("debit", "floor", "history", "hot", "batch", "latency", "past", "priced", "stats", "due"),
    *("outbox", "relay", "metered", "webhooks", "desk"),
)


def run(asked: Namespace, say: Callable[[str], None]) -> None:
    """Measure what was asked for, prove the books of all that was posted, print and write the figures."""
    started = time.monotonic()
    with set_up(seconds=0.8 if asked.quick else 2.0) as scene:
        about = report.machine()
        contests = Contests(scene, asked.rounds or (3 if asked.quick else 7), say)
        if asked.quick:
            contests.longest, contests.long_accounts = LONG, 4
        wanted = set(asked.only or NAMES)
        figures = contests.run(wanted) + Metering(contests, 10_000 if asked.quick else 100_000).run(wanted)
        if wanted & {"outbox", "relay", "metered"}:
            figures += Outbox(contests, *((10_000, 30_000) if asked.quick else (50_000, 200_000))).run(wanted)
        if "webhooks" in wanted:
            say("Measuring webhooks")
            figures += Webhooks(contests, 60 if asked.quick else 400).run()
        if "desk" in wanted:
            size = 100_000 if asked.quick else 1_000_000
            figures += desk.run(say, movements=size, accounts=size // 10)
        say("Auditing the books of all that was posted")
        call_command("audit_books")
    share = statistics.median(scene.client_share or [0.0])
    cpu = {name: round(statistics.median(costs)) for name, costs in scene.cpu.items()}
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    print(report.table(figures))
    print(f"processor µs a request: {', '.join(f'{name} {cost}' for name, cost in cpu.items())}")
    print(f"the client took {share:.0%} of a core")
    notes = {"client_share_of_a_core": share, "cpu_us_a_request": cpu, "seconds": time.monotonic() - started}
    report.write(asked.json, about, figures, notes)
