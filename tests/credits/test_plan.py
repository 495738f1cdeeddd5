"""Whatever is asked of an account in whatever order, its sheet stays in balance and a refusal leaves it alone."""

from __future__ import annotations

import copy
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from credits import plan, refusals
from credits.plan import Memo, Movement, Owner, Posted, Sheet, quotas
from credits.plan.state import SYSTEM, ZERO, QuotaKey, StandingOrder
from credits.plan.undo import SPENDS

AMOUNTS = st.integers(1, 60).map(Decimal)
START = datetime(2026, 1, 1, tzinfo=UTC)


def memo(reason: str = "") -> Memo:
    return Memo(SYSTEM, reason=reason)


class AnAccount(RuleBasedStateMachine):
    """One account in memory, and beside it the sums that an accountant would keep."""

    def __init__(self) -> None:
        super().__init__()
        overdraft = Decimal(30)
        self.sheet = Sheet(
            uuid4(), Owner("a", "credits"), 0, "active", ZERO, ZERO, overdraft, ZERO, 0, 0, "", START, None
        )
        # A count that no limit holds for: it counts, and refuses nothing.
        self.count = quotas.ensure(self.sheet, QuotaKey("", "weekly", "credits"))
        self.spent: dict[Any, Posted] = {}
        self.came_in: dict[Any, Posted] = {}
        self.seen = 0
        self.balance = ZERO

    def do(self, act: Any) -> Any:
        """Do something, or be refused and prove that nothing changed."""
        self.touch()
        before = copy.deepcopy(self.sheet)
        try:
            return act()
        except refusals.Refusal:
            assert self.sheet == before
            return None

    @rule(amount=AMOUNTS, days=st.none() | st.integers(1, 5), priority=st.integers(1, 3))
    def add(self, amount: Decimal, days: int | None, priority: int) -> None:
        expires_at = None if days is None else self.sheet.at + timedelta(days=days)
        terms = plan.LotTerms(expires_at=expires_at, priority=priority)
        movement = self.do(lambda: plan.add(self.sheet, amount, memo(), terms))
        if movement:
            self.came_in[movement.id] = Posted(movement)

    @rule(amount=AMOUNTS)
    def spend(self, amount: Decimal) -> None:
        available = self.available_now()
        movement = self.do(lambda: plan.spend(self.sheet, amount, memo()))
        assert (movement is not None) == (amount <= available)
        if movement:
            self.spent[movement.id] = Posted(movement)

    @rule(delta=st.integers(-60, 60).filter(bool).map(Decimal), allow_debt=st.booleans())
    def adjust(self, delta: Decimal, allow_debt: bool) -> None:
        self.do(lambda: plan.adjust(self.sheet, delta, memo("other"), allow_debt=allow_debt))

    @rule(amount=AMOUNTS, hours=st.integers(1, 100), charge=st.integers(0, 5).map(Decimal))
    def hold(self, amount: Decimal, hours: int, charge: Decimal) -> None:
        lasting = timedelta(hours=hours)
        self.do(lambda: plan.hold(self.sheet, amount, memo(), lasting=lasting, abandonment_charge=min(charge, amount)))

    @precondition(lambda self: self.sheet.holds)
    @rule(data=st.data(), amount=st.none() | AMOUNTS, final=st.booleans())
    def capture(self, data: st.DataObject, amount: Decimal | None, final: bool) -> None:
        held = data.draw(st.sampled_from(list(self.sheet.holds.values())))
        movement = self.do(lambda: plan.capture(self.sheet, held, amount, memo(), final=final))
        plan.expire_lots(self.sheet)
        if movement:
            self.spent[movement.id] = Posted(movement)

    @precondition(lambda self: self.sheet.holds)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        held = data.draw(st.sampled_from(list(self.sheet.holds.values())))
        self.do(lambda: plan.release(self.sheet, held))
        plan.expire_lots(self.sheet)

    @precondition(lambda self: self.spent)
    @rule(data=st.data(), amount=st.none() | AMOUNTS)
    def refund(self, data: st.DataObject, amount: Decimal | None) -> None:
        posted = data.draw(st.sampled_from(list(self.spent.values())))
        before = posted.given_back
        movement: Movement | None = self.do(lambda: plan.refund(self.sheet, posted, amount, memo()))
        plan.expire_lots(self.sheet)
        assert posted.given_back == before + (movement.amount if movement else 0)
        assert posted.given_back <= -posted.movement.amount

    @precondition(lambda self: self.came_in or self.spent)
    @rule(data=st.data(), allow_debt=st.booleans())
    def reverse(self, data: st.DataObject, allow_debt: bool) -> None:
        posted = data.draw(st.sampled_from([*self.came_in.values(), *self.spent.values()]))
        self.do(lambda: plan.reverse(self.sheet, posted, memo(), allow_debt=allow_debt))
        plan.expire_lots(self.sheet)

    @precondition(lambda self: len(self.sheet.orders) < 2)
    @rule(amount=AMOUNTS, cap=st.none() | st.integers(0, 50).map(Decimal), covered=st.integers(0, 50).map(Decimal))
    def order(self, amount: Decimal, cap: Decimal | None, covered: Decimal) -> None:
        """Begin a standing order, of a month each."""
        self.touch()
        anchor = self.sheet.at
        self.sheet.orders.append(
            StandingOrder(
                len(self.sheet.orders), "Plan", amount, None, covered, 0, 40, anchor, "UTC", 1, cap, 0, anchor, None
            )
        )
        self.sheet.due(anchor)

    @rule(hours=st.integers(1, 200))
    def wait(self, hours: int) -> None:
        self.sheet.at += timedelta(hours=hours)

    def available_now(self) -> Decimal:
        """Say what can be spent once everything due is settled."""
        self.touch()
        return self.sheet.available

    def touch(self) -> None:
        """Do what a lock does first."""
        quotas.prepare(self.sheet)
        self.sheet.complete = True
        plan.settle(self.sheet)

    @invariant()
    def every_sum_agrees(self) -> None:
        sheet = self.sheet
        for movement in sheet.movements[self.seen :]:
            assert movement.balance_before == self.balance
            assert movement.balance_after == self.balance + movement.amount
            self.balance = movement.balance_after
        self.seen = len(sheet.movements)
        lots = sheet.lots_by_id.values()
        drawn: Counter[Any] = Counter()
        for movement in sheet.movements:
            for lot_id, part in movement.draws:
                drawn[lot_id] += part  # type: ignore[assignment]
        held = [each for each in sheet.holds.values() if each.status == "open"]
        reserved: Counter[Any] = Counter()
        for each in held:
            for lot_id, part in each.lots:
                reserved[lot_id] += part  # type: ignore[assignment]

        by_id = {row.id: row for row in sheet.movements}
        counting = [row for row in sheet.movements if row.sequence > self.count.since_sequence]
        taken = sum(row.debt - row.amount for row in counting if row.kind in SPENDS)
        back = [row for row in counting if row.kind in {"refund", "reversal"} and row.parent_id is not None]
        for row in back:
            parent = by_id[row.parent_id]  # type: ignore[index]  # the line above leaves no None
            if parent.kind in SPENDS and parent.sequence > self.count.since_sequence:
                taken -= row.amount - row.debt

        assert self.count.used == taken
        assert [row.sequence for row in sheet.movements] == list(range(1, sheet.sequence + 1))
        assert sheet.balance == self.balance
        assert sheet.in_lots == sum(lot.remaining for lot in lots)
        assert 0 <= sheet.overdrawn <= sheet.overdraft_limit
        assert sheet.available >= 0
        assert sheet.held == sum(each.remaining for each in held)
        assert all(0 <= lot.held <= lot.remaining <= lot.amount for lot in lots)
        assert all(drawn[lot.id] == lot.remaining and reserved[lot.id] == lot.held for lot in lots)
        assert sheet.lots == sorted((lot for lot in lots if lot.remaining), key=lambda lot: lot.turn)
        assert sheet.debt == sum(row.debt for row in sheet.movements) >= 0


TestAnAccount = AnAccount.TestCase
TestAnAccount.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
