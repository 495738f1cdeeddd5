"""Whatever happened, in whatever order, however often or not at all it was told: one end, which an oracle knows too.

The oracle keeps no ledger: it sums what was bought, used, refunded and lost, as a person would with a pencil.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from billing import handlers
from billing.models import ProviderEvent
from billing.services import inbox, reconciliation
from credits.models import Account, Transaction
from subscriptions.queries import current_subscription
from tests.billing.till import PACKS, Till, standing
from tests.factories import make_account

SEEDS = range(50)
ORDERS = 3


@dataclass
class Bought:
    """A pack that was paid: what it cost and brought, and how much of the money is gone."""

    charge: str
    minor: int
    credits: int
    refunded: int = 0
    dispute: str = ""
    disputed: str = ""

    @property
    def gone(self) -> int:
        """How many of its credits are to be gone."""
        lost = self.minor - self.refunded if self.disputed == "lost" else 0
        return self.credits * (self.refunded + lost) // self.minor


@dataclass
class History:
    """What one customer does, at the provider's alone: nothing is told until all of it has happened."""

    till: Till
    account: Account
    dice: random.Random
    packs: list[Bought] = field(default_factory=list)
    plan: str = ""
    reference: str = ""
    granted: int = 0

    def buy(self) -> None:
        code = self.dice.choice(list(PACKS))
        checkout = self.till.buy(self.account, code)
        terms = PACKS[code]
        self.packs.append(Bought(self.till.charge(checkout), terms.price_minor, int(terms.credits)))

    def fail_to_buy(self) -> None:
        self.till.fake.card_declines(self.till.open(self.account).provider_id)

    def refund(self) -> None:
        able = [each for each in self.packs if each.refunded < each.minor and not each.disputed]
        if able:
            pack = self.dice.choice(able)
            amount = self.dice.randint(1, pack.minor - pack.refunded)
            self.till.fake.refund(pack.charge, amount)
            pack.refunded += amount

    def dispute(self) -> None:
        able = [each for each in self.packs if not each.disputed and each.refunded < each.minor]
        if able:
            pack = self.dice.choice(able)
            pack.dispute = self.till.fake.open_dispute(pack.charge, pack.minor - pack.refunded)["id"]
            pack.disputed = "open"

    def decide(self) -> None:
        able = [each for each in self.packs if each.disputed == "open"]
        if able:
            pack = self.dice.choice(able)
            pack.disputed = self.dice.choice(["won", "lost"])
            self.till.fake.close_dispute(pack.dispute, pack.disputed)

    def subscribe(self) -> None:
        if not self.reference:
            self.reference, self.plan, self.granted = self.till.subscribe(self.account), "PRO", 1000

    def cancel(self) -> None:
        if self.reference and self.plan:
            self.till.fake.cancel(self.reference)
            self.plan = ""

    def expected(self) -> tuple[int, int, str]:
        """Return what balance less debt is, how much is frozen, and the plan."""
        bought = sum(each.credits for each in self.packs)
        frozen = sum(each.credits - each.gone for each in self.packs if each.disputed == "open")
        return bought - sum(each.gone for each in self.packs) + self.granted, frozen, self.plan or "FREE"

    def found(self) -> tuple[int, int, str]:
        """Return the same figures as the books have them."""
        balance, held, debt = standing(self.account)
        version = current_subscription(self.account.pk).version
        return int(balance - debt), int(held), version.plan_id if version else ""


STEPS: list[tuple[Callable[[History], None], int]] = [
    (History.buy, 4), (History.fail_to_buy, 1), (History.refund, 3), (History.dispute, 2), (History.decide, 2),
    (History.subscribe, 1), (History.cancel, 1),
]  # fmt: skip


def happen(till: Till, account: Account, seed: int) -> tuple[History, list[dict[str, Any]]]:
    """Let a history happen. Returns it with everything that the provider has to tell of it."""
    history = History(till, account, random.Random(seed))
    till.news()
    steps, weights = zip(*STEPS, strict=True)
    history.buy()
    for step in history.dice.choices(steps, weights, k=history.dice.randint(2, 8)):
        step(history)
    return history, till.news()


def told(events: list[dict[str, Any]], dice: random.Random) -> list[dict[str, Any]]:
    """Return events as a bad network brings them: some lost, some twice, in any order."""
    copies = [each for each in events for _ in range(dice.choice([0, 1, 1, 1, 2]))]
    dice.shuffle(copies)
    return copies


def settle(till: Till) -> None:
    """Let what is tried again be tried until nothing waits, and take in what never came."""
    reconciliation.take_in_missing()
    now = timezone.now()
    for turn in range(12):
        inbox.process_due_events(handlers.look_up, now=now + timedelta(minutes=turn))
        if not inbox.waiting():
            return
    assert till.unhappy() == []


@pytest.mark.parametrize("seed", SEEDS[:6])
def test_every_order_of_a_history_ends_as_the_oracle_reckons(till: Till, seed: int) -> None:
    ends_in_every_order(till, seed)


@pytest.mark.faults
@pytest.mark.parametrize("seed", SEEDS)
def test_every_order_of_many_histories_ends_as_the_oracle_reckons(till: Till, seed: int) -> None:
    ends_in_every_order(till, seed)


def ends_in_every_order(till: Till, seed: int) -> None:
    """The same history happens to one customer for each order in which it is told."""
    for order in range(ORDERS):
        account = make_account(external_id=f"customer-{seed}-{order}")
        history, events = happen(till, account, seed)
        dice = random.Random(seed * 100 + order)
        news = told(events, dice)
        middle = len(news) // 2
        till.deliver(news[:middle])
        till.deliver(news[middle:])
        settle(till)

        assert history.found() == history.expected()
        again = Transaction.objects.filter(account=account).count()
        for event in ProviderEvent.objects.all():
            inbox.replay(event)
        settle(till)

        assert Transaction.objects.filter(account=account).count() == again
        assert history.found() == history.expected()
        assert Decimal(0) <= standing(account)[0]
