from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from credits import refusals
from credits.services.price_lists import compare_price_file, import_price_file, read_price_file


class Command(BaseCommand):
    help = (
        "Import a price list, CSV or JSON: print what it would change, ask, and change all of it or nothing. Exits 0"
        " where it is done or there is nothing to do, 1 for a file with anything wrong, 2 where nobody agreed, 3 where"
        " prices changed meanwhile."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="docs/prices.example.csv shows one.")
        parser.add_argument("--yes", action="store_true", help="Do not ask.")
        parser.add_argument("--dry-run", action="store_true", help="Print what it would change, and change nothing.")

    def handle(self, *args: Any, file: Path, yes: bool, dry_run: bool, **options: Any) -> None:
        try:
            asked = read_price_file(file.read_bytes())
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from None
        except refusals.InvalidField as wrong:
            raise CommandError(wrong.detail) from None
        diff = compare_price_file(asked)
        for entry in diff.entries:
            self.stdout.write(str(entry))
        for fault in diff.faults:
            self.stderr.write(f"line {fault.number}: {fault.says}")
        self.stdout.write(diff.summary())
        if diff.faults:
            raise CommandError("Nothing was imported: mend the lines that are wrong.")
        if dry_run or not diff.changing:
            self.stdout.write("Nothing was imported: a dry run." if dry_run else "Nothing to do.")
            return
        self._agree(len(diff.changing), yes=yes)
        try:
            added = import_price_file(file=asked, seen=diff.digest(), actor="import_prices")
        except refusals.Refusal as refusal:
            raise CommandError(refusal.detail, returncode=3) from None
        self.stdout.write(f"Added {len(added):,} prices.")

    def _agree(self, count: int, *, yes: bool) -> None:
        if yes:
            return
        if not sys.stdin.isatty():
            raise CommandError("Nothing was imported: nobody is here to ask. Say --yes.", returncode=2)
        if input(f"Add {count:,} prices? [y/N] ").strip().lower() not in {"y", "yes"}:
            raise CommandError("Nothing was imported.", returncode=2)
