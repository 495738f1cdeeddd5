from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models import Q

from credits.models import guards
from credits.models.accounts import Account
from credits.models.fields import AmountField
from credits.models.memo import Reason


class BulkStatus(models.TextChoices):
    CHECKED = "checked", "Checked, not confirmed"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    DISCARDED = "discarded", "Discarded"


class LineStatus(models.TextChoices):
    BAD = "bad", "Cannot be done"
    READY = "ready", "Waiting"
    DONE = "done", "Done"
    REFUSED = "refused", "Refused"


class BulkAdjustment(models.Model):
    """Many adjustments that staff asked for at once, from a file, line by line; or the lines that undo one."""

    file_name = models.CharField(max_length=200)
    unit = models.ForeignKey("credits.Unit", on_delete=models.PROTECT)
    reason = models.CharField(max_length=40, choices=Reason.choices)
    note = models.CharField(max_length=500, blank=True)
    ticket = models.CharField(max_length=64, blank=True)
    status = models.CharField(max_length=9, choices=BulkStatus.choices, default=BulkStatus.CHECKED)
    undoes = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="undone_by", help_text="The one that it takes back."
    )
    digest = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the lines as they were read.")
    lines_count = models.PositiveIntegerField(help_text="How many lines there are.")
    bad_count = models.PositiveIntegerField(help_text="How many of them cannot be done.")
    total_added = AmountField(help_text="What its good lines add.")
    total_taken = AmountField(help_text="What its good lines take away, as a positive amount.")
    done_count = models.PositiveIntegerField(default=0)
    refused_count = models.PositiveIntegerField(default=0)
    actor_id = models.CharField(max_length=64)
    actor_name = models.CharField(max_length=150)
    request_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField()
    approved_by = models.CharField(max_length=150, blank=True, help_text="The second person, where it took one.")
    confirmed_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "bulk adjustment"
        indexes = [
            models.Index(name="bulk_running", fields=["id"], condition=Q(status="running")),
            models.Index(name="bulk_digest", fields=["digest"]),
        ]
        constraints = [
            models.UniqueConstraint(
                name="bulk_undone_once_at_a_time", fields=["undoes"], condition=Q(status__in=["checked", "running"])
            ),
        ]
        triggers = [
            guards.KEEP,
            guards.NO_TRUNCATE,
            pgtrigger.Protect(
                name="ended", operation=pgtrigger.Update, condition=pgtrigger.Q(old__status__in=["done", "discarded"])
            ),
            pgtrigger.ReadOnly(
                name="terms",
                exclude=["status", "done_count", "refused_count", "approved_by", "confirmed_at", "finished_at"],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.file_name} ({self.lines_count:,} lines)"


class BulkLine(models.Model):
    """One line: whose balance changes by how much, and what became of it."""

    bulk = models.ForeignKey(BulkAdjustment, on_delete=models.PROTECT, related_name="lines", db_index=False)
    number = models.PositiveIntegerField(help_text="Of the line in the file, from 1.")
    external_id = models.CharField(max_length=255)
    account = models.ForeignKey(Account, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    amount = AmountField(null=True)
    note = models.CharField(max_length=500, blank=True)
    status = models.CharField(max_length=7, choices=LineStatus.choices)
    error = models.CharField(max_length=300, blank=True)
    movement = models.ForeignKey(
        "credits.Transaction", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )

    class Meta:
        ordering = ["bulk_id", "number"]
        constraints = [models.UniqueConstraint(name="bulk_line_once", fields=["bulk", "number"])]
        indexes = [models.Index(name="bulk_line_state", fields=["bulk", "status", "number"])]
        triggers = [
            guards.KEEP,
            guards.NO_TRUNCATE,
            pgtrigger.Protect(name="ended", operation=pgtrigger.Update, condition=~pgtrigger.Q(old__status="ready")),
            pgtrigger.ReadOnly(name="terms", exclude=["status", "error", "movement"]),
            # What was confirmed or approved gets no more lines.
            pgtrigger.Trigger(
                name="confirmed",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                func="IF (SELECT status FROM credits_bulkadjustment WHERE id = NEW.bulk_id) <> 'checked' THEN"
                " RAISE EXCEPTION 'florin: Cannot add lines to a bulk that was confirmed'; END IF; RETURN NEW;",
            ),
        ]

    def __str__(self) -> str:
        return f"Line {self.number}"
