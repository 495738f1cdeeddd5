from __future__ import annotations

import sys
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from config.clock import JOBS
from credits.jobs import Job
from credits.models import RunBy
from credits.services.runs import run_job, said


class Command(BaseCommand):
    help = (
        "Do everything that is due, in one pass without Celery. Prints a line for each job; exits 1 if one failed."
        " Safe at any time, beside workers too."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--only", action="append", choices=list(JOBS), metavar="NAME", help=", ".join(JOBS))

    def handle(self, *args: Any, **options: Any) -> None:
        jobs = [JOBS[name] for name in dict.fromkeys(options["only"] or JOBS)]
        failed = [job.name for job in jobs if not self._run(job)]
        if failed:
            sys.exit(1)

    def _run(self, job: Job) -> bool:
        began = time.monotonic()
        try:
            done = run_job(job.name, job.does, by=RunBy.COMMAND)
        except Exception as error:
            self.stdout.write(f"{job.name:20} FAILED  {said(error)}")
            return False
        detail = getattr(done, "detail", "").replace("\n", "; ")
        took = f"{time.monotonic() - began:.2f} s"
        self.stdout.write(f"{job.name:20} {done:6d}  {took:>9}  {job.says}{f' ({detail})' if detail else ''}")
        return True
