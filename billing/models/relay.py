from __future__ import annotations

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q


class RelayLane(models.Model):
    """How far the events of a share of the accounts have been published. Moved after NATS acknowledged them."""

    lane = models.SmallIntegerField(primary_key=True, editable=False)
    position = models.BigIntegerField(default=0, help_text="The last event that was published.")
    stream = models.CharField(
        max_length=300, blank=True, help_text="Where they were published: another stream begins with the first event."
    )
    replays = models.IntegerField(default=0, help_text="How often publishing was set back to an earlier event.")

    def __str__(self) -> str:
        return f"Lane {self.lane}"


class PublishedTotal(models.Model):
    """How many events of a type were published. Counted in the transaction that moves the lanes."""

    type = models.CharField(primary_key=True, max_length=64)
    events = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.events} {self.type}"


class LetterState(models.TextChoices):
    OPEN = "open", "Open"
    REPLAYED = "replayed", "Replayed"
    DISMISSED = "dismissed", "Dismissed"


class DeadLetter(models.Model):
    """A message from NATS that could not be applied, as it came: malformed, refused, or failed too often.

    Of high-volume usage, one item that was refused.
    """

    subject = models.CharField(max_length=255, help_text="What it was published on.")
    message_id = models.CharField(max_length=300, help_text="Its publisher's id, else its place in the stream.")
    body = models.TextField(help_text="As it came.")
    code = models.CharField(max_length=40, help_text="Why, for programs: a refusal's code, malformed or failed.")
    error = models.TextField(help_text="Why, in words.")
    state = models.CharField(max_length=9, choices=LetterState.choices, default=LetterState.OPEN)
    came_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "dead letter"
        permissions = [("replay_deadletter", "Can replay and dismiss dead letters")]
        constraints = [
            models.UniqueConstraint(name="dead_letter_once", fields=["subject", "message_id"]),
            models.CheckConstraint(
                name="dead_letter_closed",
                condition=Q(state="open", closed_at__isnull=True) | (~Q(state="open") & Q(closed_at__isnull=False)),
            ),
        ]
        indexes = [
            models.Index(name="dead_letter_open", fields=["-id"], condition=Q(state="open")),
            BrinIndex(name="dead_letter_came", fields=["came_at"], pages_per_range=32),
        ]

    def __str__(self) -> str:
        return f"{self.subject} {self.message_id}"
