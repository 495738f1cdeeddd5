from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from credits import checks
from credits.jobs import result_of
from credits.models import RunBy
from credits.services.runs import Done, run_job


class Command(BaseCommand):
    help = (
        "Check every invariant of the books. Prints a line for each and names offenders; exits 1 if there are any."
        " Staff sees the result, as that of the nightly audit."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        audit: dict[str, list[str]] = {}

        def look() -> Done:
            audit.update(checks.audit())
            return result_of(audit)

        run_job("audit_books", look, by=RunBy.COMMAND)
        for check in checks.CHECKS:
            offenders = audit[check.name]
            self.stdout.write(f"{'FAILED' if offenders else 'ok':7} {check.name}: {check.says}")
            for offender in offenders:
                self.stdout.write(f"        {offender}")
        if any(audit.values()):
            sys.exit(1)
