"""What customers do: pay, use, hold and capture, ask for their credits back, pass some on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from credits.demo.cast import Customer
from credits.models import GrantCategory
from credits.plan import Actor, LotTerms, Memo, Movement, Reservation, Usage
from credits.services.batch import Item, Outcome, Verb, post_batch

# How often each is used, and at most how many at once.
FEATURES = {"api-call": (8, 60), "waf-inspection": (4, 60), "ml-analysis": (3, 3), "sandbox-run": (2, 1)}
MODELS = ("gpt-5", "claude-sonnet-4-5", "gemini-2.5-flash")
# One that somebody uses before anybody has priced it.
UNPRICED = "gpt-5-preview"
DOLLARS_A_CREDIT = Decimal("0.004")
SAYS = {
    "api-call": "{count} calls of /v2/search",
    "waf-inspection": "{count} requests inspected",
    "ml-analysis": "Sentiment of incoming mail",
    "sandbox-run": "Build {number} in a sandbox",
}
PACKS = {"credits": ((500, 900), (2000, 2900), (5000, 5900)), "USD": ((20, 2000), (50, 5000), (100, 10000))}


@dataclass
class Business:
    """The state of the play between one hour and the next."""

    chance: Random
    key: Actor
    customers: list[Customer] = field(default_factory=list)
    open_holds: list[Reservation] = field(default_factory=list)
    spends: list[Movement] = field(default_factory=list)
    orders: int = 4100

    def opening(self, customer: Customer, at: datetime) -> list[Item]:
        """Return what a new customer begins with: a trial, or the first month of a plan, or a pack."""
        if customer.plan:
            return [self.month(customer, at)]
        if customer.owner.unit == "USD":
            return [self.pack(customer, at)]
        terms = LotTerms(GrantCategory.TRIAL, priority=10, expires_at=at + timedelta(days=14), transferable=False)
        return [self.item(Verb.TOPUP, customer, Decimal(250), description="Trial", terms=terms)]

    def hour(self, at: datetime, day: int) -> list[Outcome]:
        """Let everybody act once, in one batch, and return what came of it."""
        items = self.ends(at)
        for customer in self.customers:
            items += self.turn(customer, at, day)
        outcomes = post_batch(items=items, at=at) if items else []
        for item, outcome in zip(items, outcomes, strict=True):
            if isinstance(outcome, Reservation) and item.verb is Verb.HOLD:
                self.open_holds.append(outcome)
            elif isinstance(outcome, Movement) and item.verb is Verb.USAGE:
                self.spends.append(outcome)
        return outcomes

    def turn(self, customer: Customer, at: datetime, day: int) -> list[Item]:
        """Return what one customer does now."""
        items: list[Item] = []
        age = day - customer.joins
        if customer.plan and age and age % 30 == 0 and at.hour < 9:
            items.append(self.month(customer, at))
        if self.chance.random() < customer.appetite * 0.06:
            items.append(self.pack(customer, at))
        if self.chance.random() < customer.appetite:
            items.append(self.use(customer))
        if self.chance.random() < customer.appetite * 0.08:
            items.append(self.reserve(customer))
        if self.chance.random() < 0.0006:
            items.append(self.share(customer))
        return items

    def use(self, customer: Customer) -> Item:
        """Charge a use at its price. Small things are used many times at once."""
        if customer.owner.unit == "credits" and self.chance.random() < 0.15:
            return self.ask_model(customer)
        feature = self.chance.choices(list(FEATURES), weights=[often for often, _ in FEATURES.values()])[0]
        count = self.chance.randint(1, FEATURES[feature][1])
        said = SAYS[feature].format(count=count, number=self.chance.randint(2000, 9999))
        return self.item(Verb.USAGE, customer, usage=Usage(feature=feature, quantity=Decimal(count)), description=said)

    def ask_model(self, customer: Customer) -> Item:
        """Charge the tokens of an AI model."""
        model = UNPRICED if self.chance.random() < 0.02 else self.chance.choice(MODELS)
        usage = Usage(
            feature="writing",
            model=model,
            input_tokens=self.chance.randint(2_000, 60_000),
            output_tokens=self.chance.randint(500, 20_000),
            cached_input_tokens=self.chance.choice([0, 0, 40_000]),
        )
        said = {"description": "Draft of a report", "reference_type": "trace"}
        trace = f"trace-{self.chance.randrange(16**8):08x}"
        return self.item(Verb.USAGE, customer, None, usage=usage, reference_id=trace, **said)

    def reserve(self, customer: Customer) -> Item:
        """Hold for a run whose length is not known yet. Those nobody comes back for are charged a part."""
        amount = self.price(customer, 300)
        charge = self.price(customer, 50) if self.chance.random() < 0.5 else Decimal(0)
        number = self.chance.randint(2000, 9999)
        said = {"feature": "sandbox-run", "description": f"Long build {number} in a sandbox"}
        return self.item(Verb.HOLD, customer, amount, lasting=timedelta(hours=14), abandonment_charge=charge, **said)

    def ends(self, at: datetime) -> list[Item]:
        """Return the captures and releases of what was held earlier; some holds are left to time out."""
        held, self.open_holds = self.open_holds, []
        items: list[Item] = []
        for hold in held:
            fate = self.chance.random()
            if hold.expires_at <= at or fate < 0.15:
                continue
            memo = Memo(self.key, feature=hold.memo.feature, description=hold.memo.description)
            if fate < 0.3:
                items.append(Item(Verb.RELEASE, memo, answers=hold.id))
            else:
                used = (hold.amount * self.chance.randint(2, 10) / 10).quantize(Decimal("0.0001"))
                used = used.quantize(Decimal(1)) if hold.owner.unit == "credits" else used
                items.append(Item(Verb.CAPTURE, memo, used, answers=hold.id, final=True))
        return items

    def share(self, customer: Customer) -> Item:
        """Pass credits on to somebody else who counts the same."""
        others = [one for one in self.customers if one.owner.unit == customer.owner.unit and one is not customer]
        amount = self.price(customer, 100)
        if not others:
            return self.use(customer)
        to = self.chance.choice(others)
        memo = Memo(self.key, description=f"{customer.name} to {to.name}")
        return Item(Verb.TRANSFER, memo, amount, account=customer.owner.account, target=to.owner.account)

    def month(self, customer: Customer, at: datetime) -> Item:
        """Bring in a month of the customer's plan. What is left of it lapses when the next month begins."""
        terms = LotTerms(GrantCategory.PLAN, priority=20, expires_at=at + timedelta(days=30), transferable=False)
        return self.item(Verb.TOPUP, customer, customer.plan, description=f"Plan, {at:%B %Y}", terms=terms)

    def pack(self, customer: Customer, at: datetime) -> Item:
        """Bring in a pack that was paid for."""
        amount, cents = self.chance.choice(PACKS[customer.owner.unit])
        self.orders += 1
        expires_at = at + timedelta(days=self.chance.choice([45, 365]))
        terms = LotTerms(expires_at=expires_at, paid_currency="EUR", paid_minor=cents)
        said = {"description": f"Pack of {amount}", "reference_type": "order", "reference_id": f"FL-{self.orders}"}
        return self.item(Verb.TOPUP, customer, Decimal(amount), terms=terms, **said)

    def price(self, customer: Customer, amount: int) -> Decimal:
        """Return a price in the customer's unit."""
        return amount * DOLLARS_A_CREDIT if customer.owner.unit == "USD" else Decimal(amount)

    def item(self, verb: Verb, customer: Customer, amount: Decimal | None = None, **said: object) -> Item:
        """Return a request about one customer; what is no part of the request goes into its memo."""
        memo = {name: said.pop(name) for name in list(said) if name in Memo.__slots__}
        return Item(verb, Memo(self.key, **memo), amount, account=customer.owner.account, **said)  # type: ignore[arg-type]
