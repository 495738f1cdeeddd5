from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from config.clock import late


class Command(BaseCommand):
    help = "Tell whether beat sends the jobs that run every so often. Names those it has not sent for long and exits 1."

    def handle(self, *args: Any, **options: Any) -> None:
        names = late()
        if names:
            self.stdout.write(f"Not sent for too long: {', '.join(names)}. Is beat running?")
            sys.exit(1)
        self.stdout.write("Beat sends what it should.")
