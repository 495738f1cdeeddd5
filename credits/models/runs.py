from __future__ import annotations

from django.db import models


class RunBy(models.TextChoices):
    WORKER = "worker", "Worker"
    COMMAND = "command", "Command"


class TaskRun(models.Model):
    """One run of one of the clock's jobs: when it ran and what it did. For staff to see; nothing depends on it."""

    job = models.CharField(max_length=100, help_text="Which job.")
    kind = models.CharField(
        max_length=7, choices=RunBy.choices, help_text="Who ran it: a worker, or manage.py run_due."
    )
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, help_text="Empty while it runs, and for ever where it was cut off.")
    done = models.BigIntegerField(default=0, help_text="How many things it did; of the audit, how many offenders.")
    detail = models.TextField(blank=True, help_text="What is worth knowing about that.")
    error = models.TextField(blank=True, help_text="Why it failed.")

    class Meta:
        ordering = ["-started_at", "-id"]
        verbose_name = "run"
        permissions = [("run_job", "Can have a job of the clock run now")]
        indexes = [
            models.Index(name="taskrun_of_job", fields=["job", "-started_at"]),
            models.Index(name="taskrun_started", fields=["-started_at", "-id"]),
        ]

    def __str__(self) -> str:
        return self.job.replace("_", " ").capitalize()
