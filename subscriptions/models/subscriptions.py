from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models import F, Q

from credits.models import guards
from credits.models.fields import QuantityField
from credits.models.memo import ActorKind
from subscriptions.models.plans import PlanVersion


class Status(models.TextChoices):
    TRIALING = "trialing", "In trial"
    ACTIVE = "active", "Active"
    PAST_DUE = "past_due", "Past due"
    PAUSED = "paused", "Paused"
    CANCELED = "canceled", "Canceled"


LIVE = (Status.TRIALING, Status.ACTIVE, Status.PAST_DUE, Status.PAUSED)


class Verb(models.TextChoices):
    """What may happen to a subscription. The first are asked for, the last four come with time."""

    SUBSCRIBE = "subscribe", "Subscribed"
    UPGRADE = "upgrade", "Upgraded"
    DOWNGRADE = "downgrade", "Downgraded"
    SCHEDULE = "schedule", "Change scheduled"
    CANCEL = "cancel", "Canceled"
    RESUME = "resume", "Resumed"
    PAUSE = "pause", "Paused"
    PAST_DUE = "past_due", "Payment failed"
    PAID = "paid", "Paid"
    ACTIVATE = "activate", "Trial ended"
    RENEW = "renew", "Renewed"
    CHANGE = "change", "Scheduled change made"
    END = "end", "Ended"


class Subscription(models.Model):
    """An account on a plan. One that is not canceled is live; an account has one live subscription at the most.

    Written under the lock of its account. What time brings is settled at the next touch; the account's allowance and
    standing order were told of it in advance, so that nothing waits for it.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    account = models.ForeignKey(
        "credits.Account", on_delete=models.PROTECT, related_name="subscriptions", db_index=False
    )
    plan_version = models.ForeignKey(
        PlanVersion, on_delete=models.PROTECT, related_name="subscriptions", help_text="What it is on."
    )
    status = models.CharField(max_length=8, choices=Status.choices)
    provider = models.CharField(max_length=20, default="manual", help_text="Who collects the payments.")
    provider_reference = models.CharField(
        max_length=255, blank=True, help_text="What the provider calls it, for example sub_123."
    )
    anchor = models.DateTimeField(help_text="When its first paid period began or begins; months are counted from it.")
    time_zone = models.CharField(max_length=64, help_text="The account's time zone when it was subscribed.")
    current_period_start = models.DateTimeField(help_text="When the running period began.")
    current_period_end = models.DateTimeField(help_text="When it ends; of a trial, the trial's end.")
    trial_ends_at = models.DateTimeField(null=True, help_text="When its trial ends or ended. Empty: it had none.")
    past_due_at = models.DateTimeField(null=True, help_text="Since when a payment is due.")
    grace_ends_at = models.DateTimeField(null=True, help_text="Unless it is paid by then, it ends.")
    cancel_at_period_end = models.BooleanField(default=False, help_text="Whether it ends with the running period.")
    next_version = models.ForeignKey(
        PlanVersion,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="What it is on from the next period.",
    )
    allotment = models.ForeignKey(
        "credits.Allotment",
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        help_text="The standing order that brings its credits.",
    )
    next_allotment = models.ForeignKey(
        "credits.Allotment",
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        help_text="The standing order that takes over with the next period.",
    )
    paid_until = models.DateTimeField(
        null=True, help_text="Until when its provider was paid: credits come for no later time. Empty: nobody counts."
    )
    paused_at = models.DateTimeField(null=True, help_text="Since when it is paused.")
    ended_at = models.DateTimeField(null=True, help_text="When it ended.")
    next_due_at = models.DateTimeField(null=True, help_text="When time changes it next.")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        permissions = [("manage_subscription", "Can change, cancel and resume plans")]
        constraints = [
            models.UniqueConstraint(
                name="subscription_one_live",
                fields=["account"],
                condition=Q(status__in=["trialing", "active", "past_due", "paused"]),
            ),
            models.UniqueConstraint(
                name="subscription_provider",
                fields=["provider", "provider_reference"],
                condition=~Q(provider_reference=""),
            ),
            models.CheckConstraint(
                name="subscription_period", condition=Q(current_period_end__gt=F("current_period_start"))
            ),
            models.CheckConstraint(
                name="subscription_ended",
                condition=Q(status="canceled", ended_at__isnull=False, next_due_at__isnull=True)
                | (~Q(status="canceled") & Q(ended_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="subscription_grace",
                condition=Q(status="past_due", past_due_at__isnull=False, grace_ends_at__isnull=False)
                | (~Q(status="past_due") & Q(past_due_at__isnull=True, grace_ends_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="subscription_paused",
                condition=Q(status="paused", paused_at__isnull=False)
                | (~Q(status="paused") & Q(paused_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="subscription_one_end", condition=Q(cancel_at_period_end=False) | Q(next_version__isnull=True)
            ),
        ]
        indexes = [
            models.Index(name="subscription_of_account", fields=["account", "-id"]),
            models.Index(name="subscription_state", fields=["status", "-id"]),
            models.Index(name="subscription_due", fields=["next_due_at"], condition=Q(next_due_at__isnull=False)),
        ]
        triggers = [
            guards.KEEP,
            guards.NO_TRUNCATE,
            pgtrigger.ReadOnly(name="identity", fields=["id", "account", "time_zone", "created_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.plan_version} ({self.get_status_display()})"


class SubscriptionChange(models.Model):
    """One step in a subscription's history: what happened when, who did it, and the figures it was worked out with."""

    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="changes", db_index=False)
    verb = models.CharField(max_length=9, choices=Verb.choices, help_text="What happened.")
    at = models.DateTimeField(help_text="From when it holds.")
    from_status = models.CharField(max_length=8, choices=Status.choices, blank=True, help_text="Empty: it began.")
    to_status = models.CharField(max_length=8, choices=Status.choices)
    from_version = models.ForeignKey(
        PlanVersion, null=True, on_delete=models.PROTECT, related_name="+", db_index=False, help_text="What it was on."
    )
    to_version = models.ForeignKey(
        PlanVersion, on_delete=models.PROTECT, related_name="+", db_index=False, help_text="What it is on since."
    )
    actor_kind = models.CharField(max_length=6, choices=ActorKind.choices)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_name = models.CharField(max_length=150, blank=True)
    reason = models.CharField(max_length=255, blank=True, help_text="Why, in words.")
    metadata = models.JSONField(default=dict, help_text="The figures of the rule, as text: exact.")
    recorded_at = models.DateTimeField(help_text="When it was written, which may be later.")

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(name="change_of_subscription", fields=["subscription", "-id"])]
        triggers = [guards.APPEND_ONLY, guards.NO_TRUNCATE]

    def __str__(self) -> str:
        return f"{self.get_verb_display()} {self.at:%Y-%m-%d}"


class CreditMonth(models.Model):
    """A month in which a plan was changed, or that an earlier subscription had paid for in part.

    ``accrued`` is what the account is entitled to for the month, exact; ``granted`` what it has had for it. More is
    only ever granted as far as the first exceeds the second, so that no sequence of changes grants the same time twice.
    A month without a row was granted what its standing order brings, and is entitled to just that.
    """

    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="months", db_index=False)
    starts_at = models.DateTimeField(help_text="When the month begins.")
    ends_at = models.DateTimeField(help_text="When the next one does.")
    accrued = QuantityField(help_text="What the account is entitled to for the month.")
    granted = QuantityField(help_text="What it has had for it, also from an earlier subscription.")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(name="credit_month_once", fields=["subscription", "starts_at"]),
            models.CheckConstraint(name="credit_month_granted", condition=Q(granted__gte=0) & Q(accrued__gte=0)),
        ]
        triggers = [guards.KEEP, guards.NO_TRUNCATE]

    def __str__(self) -> str:
        return f"Month from {self.starts_at:%Y-%m-%d}"
