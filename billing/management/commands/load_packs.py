from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from billing import demo
from billing.services.catalogue import publish_catalogue


class Command(BaseCommand):
    help = (
        "Load three packs on a developer's machine, and give what is sold its prices at the payment provider's."
        " Again changes nothing."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        if not settings.DEVELOPMENT:
            raise CommandError("The demo's packs are for development: ENVIRONMENT is not development.")
        packs = demo.load_packs()
        prices = publish_catalogue() if settings.STRIPE_SECRET_KEY else 0
        self.stdout.write(f"{packs} packs loaded, {prices} prices added.")
