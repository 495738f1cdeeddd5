from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from credits import checks


class Command(BaseCommand):
    help = "Check every invariant of the books. Prints a line for each and names offenders; exits 1 if there are any."

    def handle(self, *args: Any, **options: Any) -> None:
        found = 0
        # One snapshot for all checks, so that movements posted meanwhile offend none.
        with transaction.atomic():
            checks.freeze_view()
            for check in checks.CHECKS:
                offenders = check.offenders()
                found += len(offenders)
                self.stdout.write(f"{'FAILED' if offenders else 'ok':7} {check.name}: {check.says}")
                for offender in offenders:
                    self.stdout.write(f"        {offender}")
        if found:
            sys.exit(1)
