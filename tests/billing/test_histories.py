"""Whatever happened, in whatever order, however often, late or never it was told: one end, which an oracle knows too.

Months pass while a history happens, and what is told of it comes when it likes: some before the next thing happens,
some long after, some twice, some never.
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
from billing.models import Difference, PlanPrice, ProviderEvent
from billing.providers import stripe
from billing.services import inbox, reconciliation
from credits.models import Account, Transaction
from credits.services import clock
from subscriptions.queries import current_subscription, newest_version
from tests.billing.oracle import Oracle, Pack, Plan
from tests.billing.till import PACKS, Till, standing
from tests.factories import make_account

SEEDS, ORDERS = range(200), 20
IN_CI, ORDERS_IN_CI = SEEDS[:12], 4


@dataclass
class History:
    """What one customer does at the provider's, by ``dice``; what is told of it waits in ``untold``."""

    till: Till
    account: Account
    dice: random.Random
    oracle: Oracle = field(default_factory=Oracle)
    reference: str = ""
    moves: int = 0

    def buy(self) -> None:
        code = self.dice.choice(list(PACKS))
        checkout = self.till.buy(self.account, code)
        terms = PACKS[code]
        self.oracle.packs.append(Pack(self.till.charge(checkout), terms.price_minor, int(terms.credits)))

    def fail_to_buy(self) -> None:
        self.till.fake.card_declines(self.till.open(self.account).provider_id)

    def refund(self) -> None:
        able = [each for each in self.oracle.packs if each.refunded < each.minor and not each.disputed]
        if able:
            pack = self.dice.choice(able)
            amount = self.dice.randint(1, pack.minor - pack.refunded)
            self.till.fake.refund(pack.charge, amount)
            pack.refunded += amount

    def dispute(self) -> None:
        able = [each for each in self.oracle.packs if not each.disputed and each.refunded < each.minor]
        if able:
            pack = self.dice.choice(able)
            pack.dispute = self.till.fake.open_dispute(pack.charge, pack.minor - pack.refunded)["id"]
            pack.disputed = "open"

    def decide(self) -> None:
        able = [each for each in self.oracle.packs if each.disputed == "open"]
        if able:
            pack = self.dice.choice(able)
            pack.disputed = self.dice.choice(["won", "lost"])
            self.till.fake.close_dispute(pack.dispute, pack.disputed)

    def subscribe(self) -> None:
        if not self.reference:
            plan = self.dice.choice(["PRO", "PREMIUM"])
            self.reference = self.till.subscribe(self.account, plan)
            self.oracle.running = Plan(plan, *self.period())
            self.oracle.plans.append(self.oracle.running)

    def move(self) -> None:
        running = self.oracle.running
        if running is not None and running.paid:
            plan = "PREMIUM" if running.plan == "PRO" else "PRO"
            self.moves += 1
            at = self.till.fake.clock.now()
            self.till.move(self.reference, plan, nth=self.moves)
            running.change(plan, at)

    def schedule(self) -> None:
        """Let PRO follow on PREMIUM with the next month; one that was to end goes on."""
        running = self.oracle.running
        if running is not None and running.paid and running.plan == "PREMIUM" and not running.following:
            price = PlanPrice.objects.get(plan_version=newest_version("PRO")).price_reference
            self.moves += 1
            stripe.client().schedule_change(
                self.reference, price=price, interval="month", idempotency_key=f"{self.reference}-{self.moves}"
            )
            running.following = "PRO"

    def cancel(self) -> None:
        if self.oracle.running is not None:
            self.till.fake.cancel(self.reference)
            self.oracle.running = None

    def cancel_later(self) -> None:
        if self.oracle.running is not None and not self.oracle.running.following:
            self.till.fake.cancel_at_period_end(self.reference)

    def resume(self) -> None:
        if self.oracle.running is not None:
            self.till.fake.keep(self.reference)

    def fail_next(self) -> None:
        if self.oracle.running is not None and self.oracle.running.paid:
            self.till.fake.fail_next_renewal(self.reference)

    def pay(self) -> None:
        running = self.oracle.running
        if running is not None and not running.paid:
            self.till.fake.pay_invoice(self.subscription()["latest_invoice"])
            running.pay()

    def refund_plan(self) -> None:
        """Give back of what was paid last for the plan. Last of all: what rolls over is judged when it is heard of."""
        invoice = self.till.fake.seen(self.subscription()["latest_invoice"]) if self.reference else None
        if invoice is not None and invoice["status"] == "paid" and invoice["amount_paid"]:
            amount = self.dice.randint(1, invoice["amount_paid"])
            paid = self.till.fake.store.all("inpay", invoice=invoice["id"], status="paid")[-1]
            intent = self.till.fake.seen(paid["payment"]["payment_intent"])
            self.till.fake.refund(intent["latest_charge"], amount)
            self.oracle.plans[-1].refund(amount, invoice["amount_paid"])

    def wait(self) -> None:
        """Days pass for both, less than a month of them."""
        days = self.dice.randint(2, 20)
        clock.move(timedelta(days=days))
        self.till.fake.advance(days)
        for plan in self.oracle.plans:
            if plan is not self.oracle.running and plan.ends <= self.till.fake.clock.now():
                plan.lapsing = Decimal(0)
        if self.oracle.running is not None:
            self.renewed(self.oracle.running)

    def renewed(self, running: Plan) -> None:
        """Reckon what the provider's clock has done to the plan."""
        if self.subscription()["status"] == "canceled":
            self.oracle.running, running.lapsing = None, Decimal(0)
            return
        paid = self.subscription()["status"] == "active"
        if self.period()[0] != running.starts:
            running.begin_month(*self.period(), paid=paid)
        elif paid:
            running.pay()

    def subscription(self) -> dict[str, Any]:
        return self.till.fake.seen(self.reference)

    def period(self) -> tuple[int, int]:
        item = self.subscription()["items"]["data"][0]
        return item["current_period_start"], item["current_period_end"]

    def found(self) -> tuple[int, int, str]:
        """Return what balance less debt is, how much is frozen, and the plan, as the books have them."""
        balance, held, debt = standing(self.account)
        version = current_subscription(self.account.pk).version
        return int(balance - debt), int(held), version.plan_id if version else ""


STEPS: list[tuple[Callable[[History], None], int]] = [
    (History.buy, 3), (History.fail_to_buy, 1), (History.refund, 3), (History.dispute, 2), (History.decide, 2),
    (History.subscribe, 3), (History.move, 4), (History.schedule, 2), (History.cancel, 1), (History.cancel_later, 1),
    (History.resume, 1), (History.fail_next, 2), (History.pay, 2), (History.wait, 6),
]  # fmt: skip


def steps_of(dice: random.Random) -> list[Callable[[History], None]]:
    """Return what happens: at first a pack or a plan, at the end nothing that is unpaid, and some of it given back."""
    steps, weights = zip(*STEPS, strict=True)
    first = dice.choice([History.buy, History.subscribe])
    return [
        first,
        *dice.choices(steps, weights, k=dice.randint(3, 12)),
        History.pay,
        *[History.refund_plan] * dice.randint(0, 1),
    ]


class Network:
    """Brings what is told as a bad network does: any time, in any order, some twice, some never."""

    def __init__(self, till: Till, dice: random.Random) -> None:
        self.till, self.dice = till, dice
        self.waiting: list[dict[str, Any]] = []

    def bring(self, *, rest: bool = False) -> None:
        """Bring some of what waits, or of all that is left what is not lost; a worker may look at it, or not yet."""
        self.waiting += [each for each in self.till.news() for _ in range(self.dice.choice([0, 1, 1, 1, 2]))]
        self.dice.shuffle(self.waiting)
        count = len(self.waiting) if rest else self.dice.randint(0, len(self.waiting))
        now, self.waiting = self.waiting[:count], self.waiting[count:]
        for event in now:
            assert self.till.knock(event).status_code == 200
        if rest or self.dice.random() < 0.7:
            self.till.work()

    def night(self) -> None:
        """The provider forgets its events after a month: what was lost is taken in before."""
        reconciliation.take_in_missing()


def settle(till: Till) -> None:
    """Take in what never came, and let what is tried again be tried until nothing waits."""
    reconciliation.take_in_missing()
    now = timezone.now()
    for turn in range(12):
        inbox.process_due_events(handlers.look_up, now=now + timedelta(minutes=turn))
        if not inbox.waiting():
            return
    assert till.unhappy() == []


@pytest.fixture
def both_clocks(settings: Any) -> None:
    settings.TEST_CLOCK = True


@pytest.mark.parametrize("seed", IN_CI)
def test_every_order_of_a_history_ends_as_the_oracle_reckons(till: Till, both_clocks: None, seed: int) -> None:
    for order in range(ORDERS_IN_CI):
        ends_as_reckoned(till, seed, order)


@pytest.mark.faults
@pytest.mark.parametrize("seed", SEEDS)
def test_every_order_of_many_histories_ends_as_the_oracle_reckons(till: Till, both_clocks: None, seed: int) -> None:
    for order in range(ORDERS):
        ends_as_reckoned(till, seed, order)


def ends_as_reckoned(till: Till, seed: int, order: int) -> None:
    """Let a history happen to a customer of its own, told in one of its orders."""
    account = make_account(external_id=f"customer-{seed}-{order}")
    history = History(till, account, random.Random(seed))
    network = Network(till, random.Random(seed * 100 + order))
    for step in steps_of(random.Random(seed)):
        step(history)
        network.bring()
        if step is History.wait:
            network.night()
    network.bring(rest=True)
    settle(till)
    assert history.found() == history.oracle.expected()
    if order == 0:
        once_more(till, history)


def once_more(till: Till, history: History) -> None:
    """Everything is told and looked at again, and both sides are compared: nothing changes, nothing differs."""
    moved = Transaction.objects.filter(account=history.account).count()
    for event in ProviderEvent.objects.all():
        inbox.replay(event)
    settle(till)
    assert Transaction.objects.filter(account=history.account).count() == moved
    assert history.found() == history.oracle.expected()
    reconciliation.list_differences()
    assert list(Difference.objects.values_list("subject", "field", "ours", "theirs")) == []
