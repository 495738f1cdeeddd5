from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models import Q

from credits.models import guards


class NoticeKind(models.TextChoices):
    """What an owner is written about."""

    LOW = "low_balance", "The balance runs low"
    RESTORED = "balance_restored", "The balance is no longer low"
    EXHAUSTED = "balance_exhausted", "The balance is used up"
    DISABLED = "plugin_disabled", "Use was switched off"


class NoticeStatus(models.TextChoices):
    PENDING = "pending", "Pending"
    SENT = "sent", "Sent"
    THROTTLED = "throttled", "Not sent: one of the kind went lately"
    UNSUBSCRIBED = "unsubscribed", "Not sent: unsubscribed"
    NO_ADDRESS = "no_address", "Not sent: no address is known"
    FAILED = "failed", "Failed"


class Notice(models.Model):
    """A letter to an account's owner about an event, once for each event."""

    # Events are deleted after a time of their own.
    event = models.ForeignKey(
        "credits.Event", on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    account = models.ForeignKey(
        "credits.Account", on_delete=models.PROTECT, related_name="notices", db_index=False, help_text="Whose owner."
    )
    kind = models.CharField(max_length=20, choices=NoticeKind.choices)
    facts = models.JSONField(help_text="What happened, as it is told.")
    email = models.CharField(max_length=320, blank=True, help_text="Where it went.")
    status = models.CharField(max_length=12, choices=NoticeStatus.choices, default=NoticeStatus.PENDING)
    attempts = models.PositiveIntegerField(default=0, help_text="How often it was begun; also who may finish it.")
    error = models.CharField(max_length=255, blank=True, help_text="Why it could not be sent the last time.")
    next_try_at = models.DateTimeField(
        null=True, help_text="When it is due; while it is sent, when whoever sends is taken to be gone."
    )
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "e-mail"
        constraints = [
            models.UniqueConstraint(name="notice_once", fields=["event"]),
            models.CheckConstraint(
                name="notice_due",
                condition=Q(status="pending", next_try_at__isnull=False)
                | Q(~Q(status="pending"), next_try_at__isnull=True),
            ),
        ]
        indexes = [
            models.Index(name="notice_due", fields=["next_try_at"], condition=Q(status="pending")),
            models.Index(name="notice_of_account", fields=["account", "kind", "-created_at"]),
        ]
        triggers = [
            guards.NO_TRUNCATE,
            pgtrigger.ReadOnly(name="as_told", fields=["event", "account", "kind", "facts", "created_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.get_status_display().lower()}"


class NoticeAddress(models.Model):
    """An address that letters about an account went to, and whether it still wants them. Links in letters name it."""

    account = models.ForeignKey("credits.Account", on_delete=models.PROTECT, related_name="+", db_index=False)
    email = models.CharField(max_length=320)
    created_at = models.DateTimeField()
    unsubscribed_at = models.DateTimeField(null=True, help_text="Since when it wants none; empty while it does.")

    class Meta:
        ordering = ["-id"]
        verbose_name = "e-mail address"
        verbose_name_plural = "e-mail addresses"
        constraints = [models.UniqueConstraint(name="notice_address_once", fields=["account", "email"])]
        triggers = [guards.NO_TRUNCATE, pgtrigger.ReadOnly(name="identity", fields=["account", "email", "created_at"])]

    def __str__(self) -> str:
        return self.email
