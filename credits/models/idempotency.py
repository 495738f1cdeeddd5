from __future__ import annotations

import pgtrigger
from django.contrib.postgres.indexes import BrinIndex
from django.db import models


class IdempotencyRecord(models.Model):
    """What a request with an Idempotency-Key was answered, committed together with what it did."""

    pk = models.CompositePrimaryKey("owner", "key")
    owner = models.CharField(max_length=100, help_text="The API key's owner.")
    key = models.CharField(max_length=255, help_text="The caller's Idempotency-Key.")
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of method, route and canonical body.")
    status = models.SmallIntegerField(help_text="The HTTP status answered.")
    body = models.TextField(help_text="The body answered, to the letter.")
    account_id = models.UUIDField(null=True, help_text="The account it moved, where it was one.")
    created_at = models.DateTimeField()

    class Meta:
        indexes = [BrinIndex(name="idempotency_created", fields=["created_at"])]
        # What was answered stays what was answered. Old records may be deleted.
        triggers = [pgtrigger.Protect(name="keep", operation=pgtrigger.Update)]

    def __str__(self) -> str:
        return self.key
