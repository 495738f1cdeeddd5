from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from subscriptions import demo


class Command(BaseCommand):
    help = (
        "Load the plans FREE (for everybody), PRO and PREMIUM on a developer's machine, and subscribe some accounts of"
        " the demo data. Again changes nothing."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        if not settings.DEVELOPMENT:
            raise CommandError("The demo's plans are for development: ENVIRONMENT is not development.")
        plans, accounts = demo.load_plans(), demo.subscribe_demo_accounts()
        self.stdout.write(f"{plans} plans loaded, {accounts} accounts subscribed.")
