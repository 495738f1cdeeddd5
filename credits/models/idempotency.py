from __future__ import annotations

import pgtrigger
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q


class IdempotencyRecord(models.Model):
    """What a request with an Idempotency-Key was answered, committed together with what it did."""

    pk = models.CompositePrimaryKey("owner", "key")
    owner = models.CharField(max_length=100, help_text="The API key's owner.")
    key = models.CharField(max_length=255, help_text="The caller's Idempotency-Key.")
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of method, route and canonical body.")
    status = models.SmallIntegerField(help_text="The HTTP status answered.")
    body = models.TextField(help_text="The body answered, to the letter.")
    account_id = models.UUIDField(null=True, help_text="The account that was asked for, where it was one.")
    request_id = models.CharField(
        max_length=64, blank=True, db_default="", help_text="Of what was refused; a movement keeps its own."
    )
    created_at = models.DateTimeField()

    class Meta:
        indexes = [
            BrinIndex(name="idempotency_created", fields=["created_at"]),
            models.Index(name="idempotency_request", fields=["request_id"], condition=~Q(request_id="")),
        ]
        # What was answered stays what was answered. Old records may be deleted.
        triggers = [pgtrigger.Protect(name="keep", operation=pgtrigger.Update)]

    def __str__(self) -> str:
        return self.key
