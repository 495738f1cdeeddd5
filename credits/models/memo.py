from __future__ import annotations

from django.db import models


class ActorKind(models.TextChoices):
    KEY = "key", "API key"
    STAFF = "staff", "Staff"
    SYSTEM = "system", "System"


class MemoFields(models.Model):
    """Who did something and why, as it was known then. Text, not foreign keys: it outlives the user and the key."""

    feature = models.CharField(max_length=100, blank=True, help_text="What was used.")
    description = models.CharField(max_length=500, blank=True, help_text="In words, for people.")
    reason = models.CharField(max_length=40, blank=True, help_text="Why staff moved it.")
    reference_type = models.CharField(
        max_length=64, blank=True, help_text="What kind of thing caused it: payment, order."
    )
    reference_id = models.CharField(
        max_length=255, blank=True, help_text="Which one. It causes this kind of movement once."
    )
    metadata = models.JSONField(default=dict, help_text="The caller's own notes.")
    actor_kind = models.CharField(max_length=6, choices=ActorKind.choices)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_name = models.CharField(max_length=150, blank=True)
    request_id = models.CharField(max_length=64, blank=True, help_text="The X-Request-ID of the call.")

    class Meta:
        abstract = True


class Reason(models.TextChoices):
    """Why staff adjusts a balance."""

    GOODWILL = "goodwill", "Goodwill"
    CORRECTION = "correction", "Correction of a mistake"
    COMPENSATION = "compensation", "Compensation for an outage"
    FRAUD = "fraud", "Fraud or abuse"
    MIGRATION = "migration", "Migration from another system"
    OTHER = "other", "Other (say which)"
