from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models import Q

from credits.models import guards


class StrayState(models.TextChoices):
    OPEN = "open", "To be ended"
    ENDED = "ended", "Ended"
    FOLLOWED = "followed", "Followed after all"


class StraySubscription(models.Model):
    """A subscription at the provider's that must not go on: its account has another one, or is closed.

    Written before the provider is asked to end it. What was paid of it and followed by nobody is given back by staff.
    """

    provider_id = models.CharField(max_length=255, unique=True, help_text="The provider's subscription, sub_123.")
    account = models.ForeignKey(
        "credits.Account", on_delete=models.PROTECT, related_name="stray_subscriptions", help_text="Whose it is."
    )
    livemode = models.BooleanField(help_text="Whether it is paid with real money.")
    reason = models.CharField(max_length=255, help_text="Why nothing here follows it.")
    state = models.CharField(max_length=8, choices=StrayState.choices, default=StrayState.OPEN)
    failure = models.CharField(max_length=255, blank=True, help_text="Why it could not be ended the last time.")
    found_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, help_text="Since when nothing is to be done about it.")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="stray_ended", condition=Q(state="open", ended_at=None) | ~Q(state="open") & ~Q(ended_at=None)
            )
        ]
        indexes = [models.Index(name="stray_open", fields=["id"], condition=Q(state="open"))]
        triggers = [
            guards.KEEP,
            guards.NO_TRUNCATE,
            pgtrigger.ReadOnly(name="identity", fields=["provider_id", "account", "livemode", "found_at"]),
        ]

    def __str__(self) -> str:
        return self.provider_id
