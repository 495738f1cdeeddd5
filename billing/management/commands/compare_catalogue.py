from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.services.catalogue import compare_catalogue, publish_catalogue
from credits.refusals import Refusal


class Command(BaseCommand):
    help = "Compare what is sold with the payment provider's prices, a line for each difference. Exit 1 on any."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--publish", action="store_true", help="first add the prices that are missing there")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            if options["publish"]:
                self.stdout.write(f"{publish_catalogue()} prices added.")
            found = compare_catalogue()
        except Refusal as refusal:
            raise CommandError(refusal.detail) from refusal
        for line in found:
            self.stdout.write(line)
        if found:
            raise CommandError(f"{len(found)} differences.")
        self.stdout.write("No differences.")
