"""The rules by themselves: no database, no clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from credits.refusals import Refusal
from subscriptions import refusals, rules
from subscriptions.rules import Month, State, Terms
from tests.subscriptions.factories import at

FREE = Terms(1, "FREE", 0, "FREE v1", Decimal(0), is_default=True)
BASIC = Terms(2, "BASIC", 5, "BASIC v1", Decimal(70))
PRO = Terms(3, "PRO", 10, "PRO v1", Decimal(1000), price_minor=2900, currency="USD", trial_days=14, grace_days=7)
PREMIUM = Terms(4, "PREMIUM", 20, "PREMIUM v1", Decimal(10_000), price_minor=9900, currency="USD")
PLANS = (BASIC, PRO, PREMIUM)


def begun(terms: Terms = PRO) -> State:
    return rules.subscribe(terms, "UTC", at("01-01")).state


def month(state: State) -> Month:
    bounds = rules.month_of(state, at("01-01"))
    assert bounds
    return Month(*bounds, state.terms.monthly, state.terms.monthly)


@pytest.mark.parametrize(
    ("moment", "brings"),
    [("01-01", 9000), ("01-16 12:00", 4500), ("01-31 23:59", 1), ("01-02", 8710)],
)
def test_an_upgrade_brings_the_difference_for_the_time_left(moment: str, brings: int) -> None:
    step = rules.upgrade(begun(), month(begun()), PREMIUM, at(moment))

    assert step.credits == brings
    assert step.month is not None
    assert step.month.granted == 1000 + brings


def test_the_default_plan_is_never_an_upgrade() -> None:
    with pytest.raises(refusals.NotAnUpgrade):
        rules.upgrade(begun(), month(begun()), replace(FREE, rank=99), at("01-02"))


def test_is_rounded_up_to_the_units_own_step() -> None:
    fine = replace(PREMIUM, step=Decimal("0.01"))

    assert rules.upgrade(begun(), month(begun()), fine, at("01-02")).credits == Decimal("8709.68")


@given(
    steps=some.lists(
        some.tuples(some.sampled_from(PLANS), some.integers(0, 31 * 24 * 3600 - 1)), min_size=1, max_size=12
    )
)
def test_no_sequence_of_changes_grants_more_than_the_best_plan_held_would_have(
    steps: list[tuple[Terms, int]],
) -> None:
    """Nor less than what each plan was entitled to for its time."""
    state = begun()
    running = month(state)
    best = entitled = Decimal(0)
    since = at("01-01")
    for terms, second in sorted(steps, key=lambda step: step[1]):
        now = at("01-01") + timedelta(seconds=second)
        entitled += state.terms.monthly * Decimal((now - since).total_seconds()) / (31 * 24 * 3600)
        best, since = max(best, state.terms.monthly), now
        if terms.plan == state.terms.plan:
            continue
        higher = terms.rank > state.terms.rank
        change = (
            rules.upgrade(state, running, terms, now)
            if higher
            else rules.downgrade(state, running, terms, now, at_once=True)
        )
        state = change.state
        assert change.month is not None
        running = change.month
        assert change.credits >= 0
    best = max(best, state.terms.monthly)
    entitled += state.terms.monthly * Decimal((running.ends_at - since).total_seconds()) / (31 * 24 * 3600)
    assert entitled - Decimal("1e-6") <= running.granted <= best + 1
    assert running.accrued == pytest.approx(entitled, abs=Decimal("1e-6"))


class Schemer:
    """Somebody who changes plans all day, looking for an order of changes that pays."""

    def __init__(self) -> None:
        self.state: State | None = None
        self.month: Month | None = None
        self.granted = Decimal(0)
        self.covered_until = at("01-01")

    def does(self, verb: str, terms: Terms, now: datetime) -> None:
        """Do something that holds at once, where the rules let it."""
        state = self.state
        if state is not None and state.status != "canceled":
            steps = rules.settle(state, now)
            state = steps[-1].state if steps else state
        try:
            if state is None or state.status == "canceled":
                earlier = (state, self.month) if state and self.month else None
                self.takes(rules.subscribe(terms, "UTC", now, earlier=earlier))
            elif verb == "change":
                higher = terms.rank >= state.terms.rank
                change = rules.upgrade if higher else partial(rules.downgrade, at_once=True)
                self.takes(change(state, self.month, terms, now))
            else:
                self.takes(rules.cancel(state, now, at_period_end=False))
        except Refusal:
            self.state = state

    def takes(self, step: rules.Step) -> None:
        """Take what a step brings, and remember until when it is meant to last."""
        self.state = step.state
        self.granted += step.credits
        if step.first is not None:
            self.granted += step.first
            bounds = rules.month_of(step.state, step.at)
            assert bounds
            self.month = step.month or Month(*bounds, step.state.terms.monthly, step.state.terms.monthly)
            self.covered_until = max(self.covered_until, bounds[1])
        elif step.month is not None:
            self.month = step.month


@settings(max_examples=400)
@given(
    acts=some.lists(
        some.tuples(
            some.sampled_from(["change", "change", "end"]),
            some.sampled_from([*PLANS, replace(PREMIUM, version=9, plan="YEAR", months=12)]),
            some.integers(0, 3 * 24 * 3600),
        ),
        min_size=1,
        max_size=9,
    )
)
def test_no_scheme_pays(acts: list[tuple[str, Terms, int]]) -> None:
    """Whatever is begun, ended and changed, nobody has more than the best plan held all the time would have brought."""
    schemer, now = Schemer(), at("01-01")
    for verb, terms, seconds in acts:
        now += timedelta(seconds=seconds)
        schemer.does(verb, terms, now)

    # Each act may round up by one; February's seconds are worth 31 ÷ 28 of January's.
    lasting = (schemer.covered_until - at("01-01")) / timedelta(days=28)
    assert schemer.granted <= PREMIUM.monthly * Decimal(lasting) + len(acts)


@pytest.mark.parametrize(
    ("before", "after", "difference"),
    [
        (PRO, PREMIUM, 7000),
        (PREMIUM, PRO, -7000),
        (PRO, replace(PREMIUM, months=12), None),
        (PRO, replace(PREMIUM, currency="EUR"), None),
        (BASIC, PRO, 2900),
    ],
)
def test_price_difference(before: Terms, after: Terms, difference: int | None) -> None:
    assert rules.price_difference(before, after) == difference


def test_time_changes_nothing_of_what_has_ended() -> None:
    ended = rules.cancel(begun(), at("01-10"), at_period_end=False).state

    assert (rules.due_at(ended), rules.settle(ended, at("12-31"))) == (None, [])
    with pytest.raises(refusals.SubscriptionEnded):
        rules.upgrade(ended, None, PREMIUM, at("01-11"))


@given(hours=some.lists(some.integers(1, 24 * 40), min_size=1, max_size=10))
def test_settling_in_steps_ends_as_settling_at_once(hours: list[int]) -> None:
    state = rules.downgrade(begun(PREMIUM), month(begun(PREMIUM)), PRO, at("01-10")).state
    stepwise, now = state, at("01-10")
    done = []
    for each in hours:
        now += timedelta(hours=each)
        taken = rules.settle(stepwise, now)
        done += taken
        stepwise = taken[-1].state if taken else stepwise

    assert done == rules.settle(state, now)
