from __future__ import annotations

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from credits.models import guards


class EndpointStatus(models.TextChoices):
    ACTIVE = "active", "Active"
    DISABLED = "disabled", "Disabled"
    DELETED = "deleted", "Deleted"


class DeliveryStatus(models.TextChoices):
    PENDING = "pending", "Pending"
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Failed"


class WebhookEndpoint(models.Model):
    """Where events are sent, by whom they are heard.

    Whoever sends takes the endpoint and not a delivery, so that there is one request at a time and the order is kept:
    ``turn`` is the fence, and ``next_try_at`` also when whoever has it is taken to be gone.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    owner = models.CharField(
        max_length=255, blank=True, help_text="Whose events, by external id, in every unit; empty is everybody's."
    )
    url = models.CharField(max_length=2000, help_text="Where they are sent.")
    description = models.CharField(max_length=255, blank=True, help_text="For people.")
    event_types = ArrayField(
        models.CharField(max_length=64), default=list, blank=True, help_text="Which events; empty is all."
    )
    status = models.CharField(max_length=8, choices=EndpointStatus.choices, default=EndpointStatus.ACTIVE)
    status_reason = models.CharField(max_length=255, blank=True, help_text="Why it was disabled, and by whom.")
    disabled_at = models.DateTimeField(null=True)
    after_event = models.BigIntegerField(
        default=0, help_text="Events after this one are sent: the newest when it was made, or enabled again."
    )
    turn = models.BigIntegerField(default=0, help_text="How often somebody began to send; who may record what came.")
    sending = models.BooleanField(default=False, help_text="Whether somebody sends.")
    next_try_at = models.DateTimeField(
        help_text="Nothing is sent before; while somebody sends, when they are taken to be gone."
    )
    failures = models.PositiveIntegerField(default=0, help_text="How many tries failed since the last that did not.")
    failing_since = models.DateTimeField(null=True, help_text="When the first of those was.")
    last_success_at = models.DateTimeField(null=True)
    created_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        verbose_name = "webhook endpoint"
        permissions = [("manage_webhookendpoint", "Can make, change, test and disable webhook endpoints")]
        constraints = [
            models.CheckConstraint(
                name="endpoint_disabled",
                condition=Q(status="active", disabled_at__isnull=True)
                | Q(status__in=["disabled", "deleted"], disabled_at__isnull=False),
            ),
            models.CheckConstraint(
                name="endpoint_failing",
                condition=Q(failures=0, failing_since__isnull=True) | Q(failures__gt=0, failing_since__isnull=False),
            ),
        ]
        indexes = [
            models.Index(name="endpoint_due", fields=["next_try_at"], condition=Q(status="active")),
            models.Index(name="endpoint_owner", fields=["owner", "-id"]),
        ]
        triggers = [
            guards.KEEP,
            guards.NO_TRUNCATE,
            pgtrigger.ReadOnly(name="identity", fields=["id", "owner", "created_at"]),
        ]

    def __str__(self) -> str:
        return self.description or self.url


class WebhookSecret(models.Model):
    """What an endpoint's webhooks are signed with. One signs until another takes its place, and a while beside it."""

    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.PROTECT, related_name="secrets")
    sealed = models.TextField(help_text="The secret, sealed with WEBHOOK_SECRETS_KEY.")
    ending = models.CharField(max_length=4, help_text="Its last characters, to tell one from another.")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, help_text="Until when it signs; empty for the newest.")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                name="webhook_secret_newest", fields=["endpoint"], condition=Q(expires_at__isnull=True)
            )
        ]
        triggers = [guards.NO_TRUNCATE, pgtrigger.ReadOnly(name="as_made", exclude=["expires_at", "sealed"])]

    def __str__(self) -> str:
        return f"whsec_…{self.ending}"


class WebhookDelivery(models.Model):
    """An event on its way to an endpoint, once for each pair. Of an endpoint the oldest pending one is the next."""

    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.PROTECT, related_name="deliveries", db_index=False, help_text="Where it goes."
    )
    # Events are deleted after a time of their own; what is sent is kept here.
    event = models.ForeignKey(
        "credits.Event", null=True, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    message_id = models.CharField(max_length=64, help_text="The header webhook-id: the same at every try and endpoint.")
    type = models.CharField(max_length=64, help_text="What happened.")
    body = models.TextField(help_text="What is sent, to the letter.")
    status = models.CharField(max_length=9, choices=DeliveryStatus.choices, default=DeliveryStatus.PENDING)
    attempts = models.PositiveIntegerField(default=0, help_text="How often it was tried, also by whoever was killed.")
    answer = models.PositiveSmallIntegerField(null=True, help_text="The last status that came; empty where none did.")
    error = models.CharField(max_length=255, blank=True, help_text="Why it was not delivered the last time.")
    excerpt = models.TextField(blank=True, help_text="How the last answer began.")
    milliseconds = models.PositiveIntegerField(null=True, help_text="How long the last try took.")
    occurred_at = models.DateTimeField(help_text="When it happened.")
    created_at = models.DateTimeField()
    tried_until = models.DateTimeField(help_text="It is given up at a failure after this.")
    last_try_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "webhook delivery"
        verbose_name_plural = "webhook deliveries"
        permissions = [("replay_webhookdelivery", "Can send webhooks again")]
        constraints = [
            models.UniqueConstraint(
                name="delivery_once", fields=["endpoint", "event"], condition=Q(event__isnull=False)
            ),
            models.CheckConstraint(
                name="delivery_ended",
                condition=Q(status="pending", done_at__isnull=True)
                | Q(status__in=["delivered", "failed"], done_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(name="delivery_next", fields=["endpoint", "id"], condition=Q(status="pending")),
            models.Index(name="delivery_failed", fields=["endpoint", "-id"], condition=Q(status="failed")),
            models.Index(name="delivery_of_endpoint", fields=["endpoint", "-id"]),
            models.Index(name="delivery_message", fields=["message_id"]),
            models.Index(name="delivery_done", fields=["done_at"]),
        ]
        triggers = [
            guards.NO_TRUNCATE,
            pgtrigger.ReadOnly(
                name="as_told", fields=["endpoint", "event", "message_id", "type", "body", "occurred_at", "created_at"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.message_id}"


class WebhookAttempt(models.Model):
    """One try of a delivery, and what came of it."""

    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.PROTECT, related_name="tries", db_index=False)
    number = models.PositiveIntegerField(help_text="One that is missing was cut off.")
    answer = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=255, blank=True)
    excerpt = models.TextField(blank=True)
    milliseconds = models.PositiveIntegerField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["delivery", "number"]
        constraints = [models.UniqueConstraint(name="attempt_once", fields=["delivery", "number"])]
        indexes = [models.Index(name="attempt_at", fields=["at"])]
        triggers = [
            guards.NO_TRUNCATE,
            pgtrigger.Protect(name="written_once", operation=pgtrigger.Update),
        ]

    def __str__(self) -> str:
        return f"Try {self.number}"


class OutboxMark(models.Model):
    """How far a reader has come with the events. Locked while it reads, so that each is read by one, once."""

    reader = models.CharField(max_length=20, primary_key=True)
    event = models.BigIntegerField(default=0, help_text="Up to this id, everything is read.")
    read_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(name="outbox_mark_event", condition=Q(event__gte=0))]

    def __str__(self) -> str:
        return f"{self.reader} has read up to {self.event}"
