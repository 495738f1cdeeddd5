"""What support does: gives, corrects, refunds, freezes and closes, each time with a ticket."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType

from credits.amounts import say
from credits.demo.cast import Customer
from credits.models import Account, GrantCategory
from credits.models.memo import Reason
from credits.plan import Actor, LotTerms, Memo, Movement, Owner
from credits.plan.state import QuotaKey
from credits.services import accounts, quotas
from credits.services.batch import Item, Verb, post_batch

CASES = (
    (Reason.GOODWILL, 100, "Slow answers on Tuesday; apologised."),
    (Reason.COMPENSATION, 250, "Sandbox outage, see the status page."),
    (Reason.CORRECTION, -40, "Counted twice by the importer."),
    (Reason.MIGRATION, 400, "Left over in the old system."),
    (Reason.GOODWILL, 50, "Reported a bug with a good description."),
    (Reason.FRAUD, -120, "Trial opened with a throw-away address."),
)


class Support:
    """The one who answers tickets."""

    def __init__(self, user: User, chance: Random) -> None:
        self.user = user
        self.actor = Actor("staff", str(user.pk), user.get_username())
        self.chance = chance
        self.tickets = 1040
        self.log: list[LogEntry] = []

    def day(self, customers: list[Customer], spends: list[Movement], at: datetime) -> None:
        """Answer the tickets of a day in one batch."""
        items: list[Item] = []
        if self.chance.random() < 0.45 and customers:
            items.append(self.adjust(self.chance.choice(customers)))
        if self.chance.random() < 0.2 and customers:
            items.append(self.give(self.chance.choice(customers), at))
        items += [self.refund(spend) for spend in spends if self.chance.random() < 0.012]
        for item, outcome in zip(items, post_batch(items=items, at=at) if items else [], strict=True):
            if isinstance(outcome, Movement):
                words = f"{outcome.kind.capitalize()} of {say(outcome.amount)}."
                self.note(outcome.owner, f"{words} {item.memo.description}", at)

    def adjust(self, customer: Customer) -> Item:
        """Change a balance by a difference."""
        reason, amount, words = self.chance.choice(CASES)
        delta = Decimal(amount) / 50 if customer.owner.unit == "USD" else Decimal(amount)
        return Item(Verb.ADJUSTMENT, self.memo(words, reason), delta, account=customer.owner.account)

    def give(self, customer: Customer, at: datetime) -> Item:
        """Give promotional credits that expire."""
        amount = Decimal(5 if customer.owner.unit == "USD" else 300)
        terms = LotTerms(GrantCategory.PROMOTIONAL, priority=30, expires_at=at + timedelta(days=21))
        memo = self.memo("Spring campaign", Reason.GOODWILL)
        return Item(Verb.TOPUP, memo, amount, account=customer.owner.account, terms=terms)

    def refund(self, spend: Movement) -> Item:
        """Give a spend back, or a half of it."""
        whole = self.chance.random() < 0.6 or spend.owner.unit != "credits" or spend.amount > -2
        amount = -spend.amount if whole else Decimal(int(-spend.amount / 2))
        return Item(Verb.REFUND, self.memo("The run had failed.", Reason.CORRECTION), amount, answers=spend.id)

    def memo(self, words: str, reason: Reason) -> Memo:
        """Return who does it and why, under the next ticket."""
        self.tickets += 1
        return Memo(self.actor, description=words, reason=reason, metadata={"ticket": f"SUP-{self.tickets}"})

    def note(self, owner: Owner, words: str, at: datetime) -> None:
        """Log an act as the admin would have."""
        row = LogEntry(user=self.user, action_flag=CHANGE, change_message=words, action_time=at)
        row.object_id, row.object_repr = str(owner.account), owner.external_id
        row.content_type = ContentType.objects.get_for_model(Account)
        self.log.append(row)

    def freeze(self, customer: Customer, at: datetime) -> None:
        """Freeze an account while a payment is disputed."""
        reason = "Payment disputed, waiting for the bank (SUP-1199)"
        accounts.freeze_account(account=customer.owner.account, reason=reason)
        self.note(customer.owner, f"Frozen. {reason}", at)

    def raise_quota(self, customer: Customer, at: datetime) -> None:
        """Let a customer do more for a few days."""
        reason = "Launch week (SUP-1204)"
        quotas.override_quota(
            account=customer.owner.account,
            key=QuotaKey("api-call", "daily", "quantity"),
            limit=Decimal(500),
            until=at + timedelta(days=5),
            reason=reason,
            at=at,
        )
        self.note(customer.owner, f"Overrode uses for api-call a day: 500. {reason}", at)

    def close(self, customer: Customer, at: datetime) -> None:
        """Close an account that its owner no longer wants."""
        memo = self.memo("Closed at the owner's request.", Reason.OTHER)
        accounts.close_account(account=customer.owner.account, memo=memo, forfeit=True, at=at)
        self.note(customer.owner, "Closed at the owner's request.", at)

    def file(self) -> Iterator[str]:
        """Write the log. Yields a line that says so."""
        LogEntry.objects.bulk_create(self.log)
        yield f"{len(self.log)} acts of staff"
