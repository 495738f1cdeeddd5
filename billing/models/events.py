from __future__ import annotations

import pgtrigger
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from credits.models import guards


class EventState(models.TextChoices):
    RECEIVED = "received", "Received"
    PROCESSING = "processing", "Processing"
    DONE = "done", "Done"
    PARKED = "parked", "Waits for what it belongs to"
    FAILED = "failed", "Failed"
    IGNORED = "ignored", "Ignored"


WAITING = (EventState.RECEIVED, EventState.PROCESSING, EventState.PARKED)


class ProviderEvent(models.Model):
    """A webhook, as it came. It only says what to look at: what is so, the provider is asked again."""

    event_id = models.CharField(max_length=255, unique=True, help_text="The provider's id, evt_123. Taken in once.")
    type = models.CharField(max_length=100, help_text="What happened, in the provider's words.")
    livemode = models.BooleanField()
    subject = models.CharField(
        max_length=255, blank=True, help_text="What it is about: one event of a subject is processed at a time."
    )
    customer = models.CharField(
        max_length=255, blank=True, help_text="The provider's customer that it is about, where it says so."
    )
    created_at = models.DateTimeField(help_text="When it happened, by the provider's clock.")
    payload = models.JSONField(encoder=DjangoJSONEncoder, help_text="As it came.")
    source = models.CharField(max_length=20, default="webhook", help_text="How it came in: webhook or reconciliation.")
    state = models.CharField(max_length=10, choices=EventState.choices, default=EventState.RECEIVED)
    attempts = models.PositiveIntegerField(default=0, help_text="How often it was begun; also who may finish it.")
    error = models.TextField(blank=True, help_text="Why it could not be processed the last time.")
    next_try_at = models.DateTimeField(
        null=True, help_text="When it is due; while it is processed, when it is taken to be abandoned."
    )
    received_at = models.DateTimeField(help_text="When it came. A replay does not change that.")
    tried_since = models.DateTimeField(help_text="Since when it is tried: when it came, or was last replayed.")
    done_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "webhook"
        permissions = [("replay_providerevent", "Can let an event be processed again")]
        constraints = [
            models.CheckConstraint(
                name="event_due",
                condition=Q(state__in=["received", "processing", "parked"], next_try_at__isnull=False)
                | Q(state__in=["done", "failed", "ignored"], next_try_at__isnull=True),
            ),
            models.UniqueConstraint(
                name="event_one_of_subject", fields=["subject"], condition=Q(state="processing") & ~Q(subject="")
            ),
        ]
        indexes = [
            models.Index(name="event_due", fields=["next_try_at", "id"], condition=Q(next_try_at__isnull=False)),
            models.Index(name="event_of_subject", fields=["subject", "-id"]),
            models.Index(name="event_of_customer", fields=["customer", "-id"], condition=~Q(customer="")),
            models.Index(name="event_open", fields=["state", "-id"], condition=Q(state__in=["parked", "failed"])),
        ]
        triggers = [
            guards.KEEP,
            guards.NO_TRUNCATE,
            pgtrigger.ReadOnly(
                name="as_it_came",
                fields=["event_id", "type", "livemode", "subject", "customer", "created_at", "payload", "received_at"],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"
