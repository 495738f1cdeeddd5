from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models import Q

from credits.models import guards


class Customer(models.Model):
    """An account, and what the provider knows it as. One each way and mode."""

    id = models.UUIDField(primary_key=True, editable=False)
    account = models.ForeignKey(
        "credits.Account", on_delete=models.PROTECT, related_name="customers", db_index=False, help_text="Who pays."
    )
    provider_id = models.CharField(
        max_length=255, blank=True, help_text="The provider's id, for example cus_123. Empty until it has answered."
    )
    livemode = models.BooleanField(help_text="Whether it pays with real money.")
    email = models.CharField(max_length=320, blank=True, help_text="Where receipts go, as the provider has it.")
    deleted = models.BooleanField(default=False, help_text="Whether the provider has deleted it.")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        permissions = [("resync_customer", "Can ask the payment provider anew")]
        constraints = [
            models.UniqueConstraint(
                name="customer_of_account", fields=["account", "livemode"], condition=Q(deleted=False)
            ),
            models.UniqueConstraint(name="customer_provider_id", fields=["provider_id"], condition=~Q(provider_id="")),
        ]
        triggers = [
            guards.KEEP,
            guards.NO_TRUNCATE,
            pgtrigger.ReadOnly(name="identity", fields=["account", "livemode", "created_at"]),
        ]

    def __str__(self) -> str:
        return self.provider_id
