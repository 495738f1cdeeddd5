from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from credits.models import Scope
from credits.services.keys import create_api_key


class Command(BaseCommand):
    help = "Make an API key and print it, and nothing else. It is shown only this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="What will use it, for example web-prod.")
        parser.add_argument(
            "--scopes",
            nargs="+",
            required=True,
            help=f"One or more of {', '.join(Scope.values)}; or all. Separate by blanks or commas.",
        )
        parser.add_argument("--owner", default="", help="Whose it is, where several keys share idempotency keys.")

    def handle(self, *args: Any, **options: Any) -> None:
        scopes = [scope for word in options["scopes"] for scope in word.split(",") if scope]
        if "all" in scopes:
            scopes = list(Scope.values)
        try:
            _, key = create_api_key(name=options["name"], scopes=scopes, owner=options["owner"], created_by="command")
        except ValueError as error:
            raise CommandError(f"{error} Scopes: {', '.join(Scope.values)}, or all.") from None
        self.stdout.write(key)
