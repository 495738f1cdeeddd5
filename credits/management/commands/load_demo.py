from __future__ import annotations

import os
import time
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from django.utils import timezone
from django.utils.text import slugify

from credits.demo import story
from credits.models import Scope
from credits.services.keys import create_api_key

LOGIN = "demo"


class Command(BaseCommand):
    help = (
        "Load three months of demo data on a developer's machine, once: about 200 accounts, the superuser demo and a"
        " staff user for each role with the password in FLORIN_DEMO_PASSWORD, and the API key in FLORIN_DEMO_API_KEY."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        if not settings.DEVELOPMENT:
            raise CommandError("Demo data is for development: ENVIRONMENT is not development.")
        if User.objects.filter(username=LOGIN).exists():
            self.stdout.write("Demo data is loaded already. Nothing was done.")
            return
        password, key = _secret("FLORIN_DEMO_PASSWORD"), _secret("FLORIN_DEMO_API_KEY")
        began = time.monotonic()
        # All or nothing, so that an interrupted load is simply begun again.
        with transaction.atomic():
            user = User.objects.create_superuser(LOGIN, "demo@example.com", password)
            for role in Group.objects.order_by("name"):
                somebody = User.objects.create_user(slugify(role.name), password=password, is_staff=True)
                somebody.groups.add(role)
            try:
                row, _ = create_api_key(name=LOGIN, scopes=Scope.values, created_by=LOGIN, key=key)
            except ValueError as error:
                raise CommandError(f"FLORIN_DEMO_API_KEY: {error}") from None
            for line in story.tell(user, row, timezone.now()):
                self.stdout.write(f"  {line}")
        # What came at once the planner knows nothing of yet.
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        self.stdout.write(f"Demo data loaded in {time.monotonic() - began:.1f} s.")


def _secret(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise CommandError(f"{name} must be set.")
    return value
