from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models


class Scope(models.TextChoices):
    """What a key may do: one scope for each family of verbs."""

    CREDITS_READ = "credits:read", "Read accounts, balances, movements, lots and holds"
    CREDITS_WRITE = "credits:write", "Spend, top up, hold, capture, release, transfer"
    CREDITS_REFUND = "credits:refund", "Refund and reverse movements"
    CREDITS_ADJUST = "credits:adjust", "Adjust balances"
    PRICES_WRITE = "prices:write", "Add features and prices"
    QUOTAS_WRITE = "quotas:write", "Set, override and reset quotas"
    SUBSCRIPTIONS_WRITE = "subscriptions:write", "Subscribe, change plans, cancel and resume"
    BILLING_WRITE = "billing:write", "Open pages to pay on, and the customer portal"
    WEBHOOKS_WRITE = "webhooks:write", "Make, change and test webhook endpoints, and send again"
    ACCOUNTS_WRITE = "accounts:write", "Open, change, freeze and close accounts"


class ApiKey(models.Model):
    """Lets a caller in. The key itself is shown once, when it is made; only its SHA-256 digest is kept.

    A plain digest is enough: the key carries 256 random bits, so there is nothing to guess that a slow hash would slow.
    """

    name = models.CharField(max_length=100, help_text="What uses it, for example web-prod.")
    owner = models.CharField(
        max_length=100,
        help_text="Whose it is. Idempotency keys belong to the owner, so that a new key can take over from an old one.",
    )
    prefix = models.CharField(max_length=12, unique=True, help_text="The visible beginning of the key.")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=20, choices=Scope.choices), help_text="What it may do.")
    rate_limit = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], help_text="Requests a minute; empty is the setting's."
    )
    expires_at = models.DateTimeField(null=True, blank=True, help_text="When it stops working; empty is never.")
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="To the minute.")
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150, blank=True, editable=False)

    class Meta:
        ordering = ["-created_at"]
        verbose_name = "API key"
        permissions = [("revoke_apikey", "Can revoke an API key")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"
