"""What staff did, how much they may do alone, and what waits for a second person."""

from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models import F, Q

from credits.amounts import grouped
from credits.models import guards
from credits.models.accounts import Account
from credits.models.fields import AmountField
from credits.models.memo import Reason


class CappedAction(models.TextChoices):
    """What may have a cap. The values are what the log calls them."""

    ADJUST = "adjust", "Adjust"
    GRANT = "grant", "Grant"
    REFUND = "refund", "Refund"
    REFUND_PAYMENT = "refund-payment", "Refund a payment"
    TRANSFER = "transfer", "Transfer"
    BULK = "bulk", "Bulk adjustment"
    CHANGE_PLAN = "change-plan", "Change the plan"
    CLOSE = "close", "Close the account"
    OVERDRAFT = "edit", "Raise an overdraft limit"


class StaffAct(models.Model):
    """Something that a member of staff did, or tried. Written once; nobody changes or deletes it."""

    at = models.DateTimeField()
    actor_id = models.CharField(max_length=64, blank=True, help_text="Empty where nobody was signed in.")
    actor_name = models.CharField(max_length=150, blank=True)
    action = models.CharField(max_length=40)
    account = models.ForeignKey(Account, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    subject = models.CharField(max_length=200, blank=True, help_text="What else it was about.")
    what = models.TextField()
    reason = models.CharField(max_length=40, blank=True, choices=Reason.choices)
    note = models.CharField(max_length=500, blank=True)
    ticket = models.CharField(max_length=64, blank=True)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    unit = models.CharField(max_length=20, blank=True)
    amount = AmountField(null=True, help_text="What counts against a cap, as a positive amount.")
    approved_by = models.CharField(max_length=150, blank=True)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "staff act"
        indexes = [
            models.Index(name="staffact_account", fields=["account", "-id"]),
            models.Index(name="staffact_ticket", fields=["ticket", "-id"], condition=~Q(ticket="")),
            models.Index(name="staffact_request", fields=["request_id"], condition=~Q(request_id="")),
            models.Index(name="staffact_day", fields=["actor_id", "action", "unit", "at"]),
        ]
        triggers = [guards.APPEND_ONLY, guards.NO_TRUNCATE]

    def __str__(self) -> str:
        return self.what[:80]


class StaffCap(models.Model):
    """How much a role may do of one thing without a second person: at once, and in a day of UTC."""

    role = models.CharField(max_length=150, help_text="The name of the group.")
    action = models.CharField(max_length=20, choices=CappedAction.choices)
    unit = models.ForeignKey(
        "credits.Unit", on_delete=models.PROTECT, related_name="+", help_text="For a refund of a payment: its currency."
    )
    per_action = AmountField(help_text="At once.")
    per_day = AmountField(help_text="By one person in a day of UTC, all together.")
    per_approval = AmountField(
        null=True, blank=True, help_text="The most that they may approve for somebody else, at once. Empty: any amount."
    )

    class Meta:
        ordering = ["role", "action", "unit"]
        verbose_name = "cap"
        constraints = [
            models.UniqueConstraint(name="staffcap_once", fields=["role", "action", "unit"]),
            models.CheckConstraint(name="staffcap_positive", condition=Q(per_action__gte=0, per_day__gte=0)),
            models.CheckConstraint(
                name="staffcap_approval", condition=Q(per_approval__isnull=True) | Q(per_approval__gte=0)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role}: {self.get_action_display()} {self.unit_id}"


class ApprovalStatus(models.TextChoices):
    WAITING = "waiting", "Waiting"
    APPROVED = "approved", "Approved and done"
    REFUSED = "refused", "Refused"
    LAPSED = "lapsed", "Lapsed"
    WITHDRAWN = "withdrawn", "Withdrawn"


class ApprovalRequest(models.Model):
    """Something above somebody's cap, which somebody else decides on. Done once, when it is approved."""

    action = models.CharField(max_length=20, choices=CappedAction.choices)
    account = models.ForeignKey(Account, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    bulk = models.ForeignKey(
        "credits.BulkAdjustment", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    unit = models.CharField(max_length=20)
    amount = AmountField()
    asked = models.JSONField(default=dict, help_text="What was filled in.")
    preview = models.JSONField(default=list, help_text="What would have changed when it was asked for.")
    why = models.CharField(max_length=200, help_text="Which cap it exceeds.")
    reason = models.CharField(max_length=40, blank=True, choices=Reason.choices)
    note = models.CharField(max_length=500, blank=True)
    ticket = models.CharField(max_length=64, blank=True)
    key = models.CharField(max_length=100, unique=True, help_text="Of the confirmation: one press, one request.")
    asked_by_id = models.CharField(max_length=64)
    asked_by_name = models.CharField(max_length=150)
    asked_at = models.DateTimeField()
    lapses_at = models.DateTimeField()
    status = models.CharField(max_length=9, choices=ApprovalStatus.choices, default=ApprovalStatus.WAITING)
    decided_by_id = models.CharField(max_length=64, blank=True)
    decided_by_name = models.CharField(max_length=150, blank=True)
    decided_at = models.DateTimeField(null=True)
    decision = models.CharField(max_length=500, blank=True, help_text="What the second person said.")

    class Meta:
        ordering = ["-id"]
        verbose_name = "approval request"
        permissions = [("decide_approvalrequest", "Can approve and refuse what others ask for")]
        indexes = [models.Index(name="approval_waiting", fields=["lapses_at"], condition=Q(status="waiting"))]
        constraints = [
            models.UniqueConstraint(name="approval_of_bulk", fields=["bulk"], condition=Q(status="waiting")),
            models.CheckConstraint(name="approval_by_another", condition=~Q(decided_by_id=F("asked_by_id"))),
            models.CheckConstraint(
                name="approval_decided",
                condition=Q(status__in=["waiting", "lapsed", "withdrawn"], decided_by_id="")
                | Q(Q(status__in=["approved", "refused"], decided_at__isnull=False), ~Q(decided_by_id="")),
            ),
        ]
        triggers = [
            guards.KEEP,
            guards.NO_TRUNCATE,
            pgtrigger.Protect(
                name="decided", operation=pgtrigger.Update, condition=~pgtrigger.Q(old__status="waiting")
            ),
            pgtrigger.ReadOnly(
                name="asked", exclude=["status", "decided_by_id", "decided_by_name", "decided_at", "decision"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()} {grouped(self.amount)} {self.unit}, asked for by {self.asked_by_name}"
