"""What becomes of a subscription that a provider keeps: it is as the provider says. Pure: no database, no clock.

The provider is asked what is so, not told what changed; whichever of its messages came, in whatever order, the same is
done about them. Credits come for the time that it was paid for, and for no other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from credits.plan.windows import boundary
from subscriptions.models import Status, Verb
from subscriptions.periods import number_at
from subscriptions.rules import ZERO, Month, State, Step, Terms, begun, change_now, ended, unused

# Providers count in it, whatever the account's own time zone.
ZONE = "UTC"


@dataclass(frozen=True, slots=True)
class Paid:
    """A time that was paid for on a plan, from ``at`` on: a period, or after a change the rest of one."""

    at: datetime
    terms: Terms
    starts_at: datetime
    ends_at: datetime
    # Which of the provider's invoices paid for it.
    invoice: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """A subscription as its provider tells it.

    ``anchor`` is the moment that its periods are counted from. ``paid_from`` and ``paid_until`` are the period that was
    paid for last; without one nothing was. ``history`` is what was paid and not followed yet, in its order: what it
    brings is worked out as of then, so that it does not matter when anybody here heard of it.
    """

    status: str
    terms: Terms
    anchor: datetime
    period_start: datetime
    period_end: datetime
    trial_ends_at: datetime | None = None
    ends_with_period: bool = False
    paid_from: datetime | None = None
    paid_until: datetime | None = None
    ended_at: datetime | None = None
    # What it is on from its next period, where that was scheduled.
    next_terms: Terms | None = None
    history: tuple[Paid, ...] = ()


def as_paid(told: Told, paid: Paid) -> Told:
    """Return what the provider would have told when a time had just been paid for."""
    # Before the one that it has now it had another anchor, which only that time tells.
    anchor = told.anchor if told.anchor <= paid.starts_at else paid.starts_at
    number = max(number_at(anchor, paid.starts_at, ZoneInfo(ZONE), paid.terms.months), 0)
    return replace(
        lived(told),
        terms=paid.terms,
        anchor=anchor,
        period_start=boundary(anchor, number * paid.terms.months, ZoneInfo(ZONE)),
        period_end=paid.ends_at,
        paid_from=paid.starts_at,
        paid_until=paid.ends_at,
        next_terms=told.next_terms if paid.ends_at == told.period_end else None,
        history=(),
    )


def follow(state: State | None, told: Told, month: Month | None, at: datetime) -> Step:
    """Return what makes a subscription what its provider says it is; a step that changes nothing where it is that."""
    after = _state(state, told, at)
    if state is None:
        return replace(begun(Step(Verb.SUBSCRIBE, at, None, after), ZERO), first=None, order_from=_unpaid(after, told))
    if after.status == Status.CANCELED:
        over = state if state.status == Status.CANCELED else ended(state, after.ended_at or at)
        return Step(Verb.END, at, state, over)
    verb = _verb(state, after)
    if after.terms.months != state.terms.months:
        # A new period began with the change. What the old one had left is in its price, and so it is in its credits.
        covered = unused(state, month, at) if month else ZERO
        return begun(Step(verb, at, state, after), covered)
    if after.anchor != state.anchor or _gap(state, told) or _was_over(state, at):
        return Step(verb, at, state, after, order_from=_unpaid(after, told))
    if after.terms != state.terms and month is not None and _is_paid(after, at):
        step = change_now(verb, replace(state, next_terms=None), month, after.terms, at, None)
        return replace(step, before=state, state=after)
    if after.terms != state.terms:
        return Step(verb, at, state, after, order_from=_unpaid(after, told))
    return Step(verb, at, state, after)


def was_paid(told: Told, state: State | None) -> bool:
    """Tell whether one that is over was paid for a time that is not known here yet: its credits are still due."""
    if told.status != Status.CANCELED or told.paid_until is None:
        return False
    known = state.paid_until if state is not None and state.paid_until is not None else told.anchor
    return told.paid_until > known


def lived(told: Told) -> Told:
    """Return what a provider would have told before it was over."""
    return replace(told, status=Status.ACTIVE, ends_with_period=False, ended_at=None)


def _state(state: State | None, told: Told, at: datetime) -> State:
    """Return the state that the provider's word makes, with what has passed since by our own clock."""
    status = told.status
    start, end = told.period_start, told.period_end
    terms, following = told.terms, told.next_terms
    if state is not None and state.anchor == told.anchor and state.period_start > start:
        # Ours has renewed it already; the provider will say so in a moment.
        start, end = state.period_start, state.period_end
        terms, following = following or terms, None
    if status in {Status.ACTIVE, Status.TRIALING, Status.PAST_DUE} and told.ends_with_period and end <= at:
        status = Status.CANCELED
    since, until = _grace(state, told, at) if status == Status.PAST_DUE else (None, None)
    if until is not None and until <= at:
        status, since, until = Status.CANCELED, None, None
    kept = state.paid_until if state is not None else None
    return State(
        status=status,
        terms=terms,
        anchor=told.anchor,
        zone=ZONE,
        period_start=start,
        period_end=end,
        trial_ends_at=told.trial_ends_at or (state.trial_ends_at if state else None),
        past_due_at=since,
        grace_ends_at=until,
        next_terms=None if told.ends_with_period or status == Status.CANCELED or following == terms else following,
        cancel_at_period_end=told.ends_with_period and status != Status.CANCELED,
        paused_at=((state.paused_at if state else None) or at) if status == Status.PAUSED else None,
        ended_at=(min(told.ended_at or at, at)) if status == Status.CANCELED else None,
        paid_until=max(filter(None, (kept, told.paid_until)), default=told.anchor),
    )


def _grace(state: State | None, told: Told, at: datetime) -> tuple[datetime, datetime]:
    """Return since when a payment is due, and until when the plan goes on without it."""
    if state is not None and state.status == Status.CANCELED:
        # Its grace is over: only a payment brings it back.
        return at, at
    since = state.past_due_at if state is not None and state.past_due_at is not None else at
    return since, since + timedelta(days=told.terms.grace_days)


def _was_over(state: State, at: datetime) -> bool:
    """Tell whether a subscription had ended by a moment, which may be past."""
    return state.status == Status.CANCELED and (state.ended_at or at) <= at


def _gap(state: State, told: Told) -> bool:
    """Tell whether time passed that nobody paid for: of that no credits come."""
    return told.paid_from is not None and state.paid_until is not None and told.paid_from > state.paid_until


def _is_paid(state: State, at: datetime) -> bool:
    return state.paid_until is not None and at < state.paid_until


def _unpaid(state: State, told: Told) -> int:
    """Return the number of the first month for which credits are to come: that of the period paid for last."""
    begins = told.paid_from if told.paid_from is not None and told.paid_from >= told.anchor else told.period_start
    return max(number_at(state.anchor, begins, ZoneInfo(ZONE)), 0)


def _verb(state: State, after: State) -> str:
    if after.terms.plan != state.terms.plan:
        return Verb.UPGRADE if after.terms.rank >= state.terms.rank else Verb.DOWNGRADE
    if after.terms != state.terms:
        return Verb.CHANGE
    if after.status == Status.PAST_DUE != state.status:
        return Verb.PAST_DUE
    if after.status == Status.PAUSED != state.status:
        return Verb.PAUSE
    if state.status in {Status.PAUSED, Status.CANCELED}:
        return Verb.RESUME
    if state.status == Status.TRIALING != after.status:
        return Verb.ACTIVATE
    if after.cancel_at_period_end != state.cancel_at_period_end:
        return Verb.CANCEL if after.cancel_at_period_end else Verb.RESUME
    if after.next_terms != state.next_terms:
        return Verb.SCHEDULE if after.next_terms else Verb.RESUME
    if after.paid_until != state.paid_until or state.status == Status.PAST_DUE:
        return Verb.PAID
    return Verb.RENEW
