from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from credits.plan import Actor
from credits.services.staff import Told, record_act


class Command(BaseCommand):
    help = "Forgets the authenticator of somebody who lost it; the next sign-in enrols a new one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="The user's name.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Forget devices and recovery codes, and tell the log."""
        user = User.objects.filter(username=options["name"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['name']}.")
        with transaction.atomic():
            for model in (TOTPDevice, StaticDevice):
                model.objects.filter(user=user).delete()
            what = f"Reset the second factor of {user}."
            record_act(
                actor=Actor("system", "", "command line"), action="rights", what=what, told=Told(subject=str(user))
            )
        self.stdout.write(what)
