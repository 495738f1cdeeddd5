"""What an account is to have, reckoned with a pencil: sums of packs and months, and no ledger.

It knows what was bought, refunded and lost; and of a plan what each month that was paid brought, what lapsed with the
month, what rolled over up to the cap, and what a change in its middle added for the time that was left.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal

MONTHLY = {"PRO": Decimal(1000), "PREMIUM": Decimal(10_000)}
CAP = {"PREMIUM": Decimal(5000)}


@dataclass
class Pack:
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
class Plan:
    """A subscription, month by month. Times are seconds of the provider's clock."""

    plan: str
    starts: int
    ends: int
    accrued: Decimal = Decimal(0)
    granted: Decimal = Decimal(0)
    # What ends with the month, and what rolls over.
    lapsing: Decimal = Decimal(0)
    rolling: Decimal = Decimal(0)
    paid: bool = True
    # What it is to be on from the next month.
    following: str = ""
    # What the last payment brought, and whether it rolls over.
    brought: Decimal = Decimal(0)
    rolls: bool = False

    def __post_init__(self) -> None:
        self._bring()

    def begin_month(self, starts: int, ends: int, *, paid: bool) -> None:
        """A month is over and the next begins."""
        self.starts, self.ends, self.lapsing, self.paid = starts, ends, Decimal(0), paid
        self.accrued = self.granted = Decimal(0)
        self.plan, self.following = self.following or self.plan, ""
        if paid:
            self._bring()

    def pay(self) -> None:
        """The running month is paid after all."""
        if not self.paid:
            self.paid = True
            self._bring()

    def change(self, plan: str, at: int) -> None:
        """Another plan for the rest of the month."""
        left = Decimal(self.ends - at) / Decimal(self.ends - self.starts)
        self.accrued = max(self.accrued + (MONTHLY[plan] - MONTHLY[self.plan]) * left, Decimal(0))
        more = max(self.accrued - self.granted, Decimal(0)).to_integral_value(ROUND_CEILING)
        self.plan, self.following = plan, ""
        self._add(more)

    def refund(self, minor: int, paid: int) -> None:
        """A part of the last payment goes back, and that part of what it brought; what lapsed is nobody's."""
        gone = self.brought * minor // paid
        if self.rolls:
            self.rolling -= gone
        else:
            self.lapsing -= min(gone, self.lapsing)

    @property
    def credits(self) -> Decimal:
        """What of it is there."""
        return self.lapsing + self.rolling

    def _bring(self) -> None:
        if self.plan in CAP:
            self.rolling = min(self.rolling, CAP[self.plan])
        self.accrued = MONTHLY[self.plan]
        self._add(MONTHLY[self.plan])

    def _add(self, amount: Decimal) -> None:
        self.granted += amount
        self.brought, self.rolls = amount, self.plan in CAP
        if self.plan in CAP:
            self.rolling += amount
        else:
            self.lapsing += amount


@dataclass
class Oracle:
    """Everything of one customer."""

    packs: list[Pack] = field(default_factory=list)
    plans: list[Plan] = field(default_factory=list)
    running: Plan | None = None

    def expected(self) -> tuple[int, int, str]:
        """Return what balance less debt is, how much is frozen, and the plan."""
        bought = sum(each.credits - each.gone for each in self.packs)
        frozen = sum(each.credits - each.gone for each in self.packs if each.disputed == "open")
        brought = sum((each.credits for each in self.plans), Decimal(0))
        return bought + int(brought), frozen, self.running.plan if self.running else "FREE"
