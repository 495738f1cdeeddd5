from __future__ import annotations

import pgtrigger
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q

from credits.models import guards
from credits.models.accounts import Account


class EventType(models.TextChoices):
    """What the world hears of. Its value is the subject that it is published on."""

    RECHARGED = "evt.credits.recharged", "Credits came in"
    CONSUMED = "evt.credits.consumed", "Credits were used"
    REFUNDED = "evt.credits.refunded", "Credits went back, to the account or out of it"
    ADJUSTED = "evt.credits.adjusted", "The balance was adjusted"
    EXPIRED = "evt.credits.expired", "Credits expired"
    TRANSFERRED = "evt.credits.transferred", "Credits moved between accounts"
    DEBT_REPAID = "evt.credits.debt_repaid", "A debt was repaid"
    REVERSED = "evt.credits.reversed", "A movement was reversed"
    LOW_BALANCE_REACHED = "evt.credits.low_balance_reached", "The balance ran low"
    BALANCE_RESTORED = "evt.credits.balance_restored", "The balance is no longer low"
    BALANCE_EXHAUSTED = "evt.credits.balance_exhausted", "The balance is used up"
    PLUGIN_STATUS_CHANGED = "evt.credits.plugin_status_changed", "Use was switched on or off"


class Event(models.Model):
    """What the world is to hear, written in the very transaction that it tells of. Deleted after EVENT_DAYS.

    Ids are taken under the account's lock, so an account's events are in the order of its books. Over all accounts a
    lower id may be committed later than a higher one: readers go no further than ``services.events.settle`` says.
    """

    id = models.BigAutoField(primary_key=True)
    type = models.CharField(max_length=64, help_text="What happened; its subject where it is published.")
    version = models.SmallIntegerField(default=1, help_text="Of the schema that the payload follows.")
    account = models.ForeignKey(
        Account,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        # It is written by the statement that changes the account, and accounts are never deleted.
        db_constraint=False,
    )
    payload = models.JSONField(help_text="What happened, by the schema of its type and version.")
    recorded_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(name="event_of_account", fields=["account", "-id"]),
            BrinIndex(name="event_recorded", fields=["recorded_at"], pages_per_range=32),
        ]
        triggers = [
            pgtrigger.Protect(name="written_once", operation=pgtrigger.Update),
            guards.NO_TRUNCATE,
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.pk}"


class EventHorizon(models.Model):
    """Up to which event nothing can appear any more. One row at the most, kept by ``services.events.settle``.

    ``mark`` is an id that was the newest once, ``mark_xact`` a transaction that began after that: when every one
    before it has ended, the mark is settled.
    """

    ONLY = 1

    id = models.SmallIntegerField(primary_key=True, default=ONLY, editable=False)
    settled = models.BigIntegerField(default=0)
    mark = models.BigIntegerField(default=0)
    mark_xact = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(name="event_horizon_one", condition=Q(id=1))]

    def __str__(self) -> str:
        return f"Settled up to {self.settled}"
