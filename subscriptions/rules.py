"""The rules of plans: what a change makes of a subscription, and how many credits it brings. No database, no clock.

Real changes and previews are worked out by the same functions, so they cannot disagree. Each takes a subscription as it
stands at a moment, with everything settled that was due by then, and returns a Step or refuses.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal, localcontext
from zoneinfo import ZoneInfo

from credits.amounts import say
from credits.plan.windows import boundary
from subscriptions import refusals
from subscriptions.models import Status, Verb
from subscriptions.periods import number_at, period

ZERO = Decimal(0)
# Figures are kept this fine; of a grant, what is finer than the second is noise of their division.
FINE = Decimal(10) ** -12
NOISE = Decimal(10) ** -9
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Terms:
    """A plan's version as the rules see it. ``months`` is how long a period is, ``step`` its unit's smallest amount."""

    version: int
    plan: str
    rank: int
    allowance: str
    monthly: Decimal
    number: int = 1
    step: Decimal = Decimal(1)
    months: int = 1
    price_minor: int = 0
    currency: str = ""
    rollover_cap: Decimal | None = None
    trial_days: int = 0
    trial_credits: Decimal = ZERO
    grace_days: int = 0
    is_default: bool = False
    follows_subscription: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """A subscription as the rules see it."""

    status: str
    terms: Terms
    anchor: datetime
    zone: str
    period_start: datetime
    period_end: datetime
    trial_ends_at: datetime | None = None
    past_due_at: datetime | None = None
    grace_ends_at: datetime | None = None
    cancel_at_period_end: bool = False
    next_terms: Terms | None = None
    paused_at: datetime | None = None
    ended_at: datetime | None = None
    # Until when a provider was paid. Credits come for no later time; None where nobody counts.
    paid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Month:
    """The running month of credits: what the account is entitled to for it, and what it has had."""

    starts_at: datetime
    ends_at: datetime
    accrued: Decimal
    granted: Decimal

    def left(self, at: datetime) -> Decimal:
        """Return which part of it is still to come."""
        return Decimal((self.ends_at - at) // MICROSECOND) / Decimal((self.ends_at - self.starts_at) // MICROSECOND)


# The account's last subscription, with the month of credits it had begun.
Earlier = tuple[State, Month] | None


@dataclass(frozen=True, slots=True)
class Step:
    """What a change makes of a subscription.

    ``credits`` are granted at once. ``month`` are the month's figures from now on, where they differ from what the
    standing order says. ``first`` is what a standing order that begins anew brings in its first month, ``covered`` how
    many earlier credits are meant for it; ``order_from`` the number of the first period of one that begins anew without
    counting months from the step.
    """

    verb: str
    at: datetime
    before: State | None
    state: State
    credits: Decimal = ZERO
    month: Month | None = None
    first: Decimal | None = None
    covered: Decimal = ZERO
    order_from: int | None = None
    figures: dict[str, str] = field(default_factory=dict)

    @property
    def changes(self) -> bool:
        """Whether anything is different afterwards."""
        return self.state != self.before or bool(self.credits)

    @property
    def credits_now(self) -> Decimal:
        """The credits that it brings at once. Those of the months after a trial come with its end."""
        return self.credits or (self.first or ZERO if self.state.status == Status.ACTIVE else ZERO)


def subscribe(
    terms: Terms, zone: str, at: datetime, *, trial: bool = False, had_trial: bool = False, earlier: Earlier = None
) -> Step:
    """Begin a subscription, with a trial where it is asked for: the months of credits are then counted from its end.

    The first month brings what ``earlier`` has not brought for the same time already.
    """
    if trial:
        check_trial(terms, had_trial=had_trial)
    begins = months_begin(terms, at, trial=trial)
    covered = unused(*earlier, begins) if earlier else ZERO
    state = State(Status.ACTIVE, terms, at, zone, at, boundary(at, terms.months, ZoneInfo(zone)))
    if trial:
        state = State(Status.TRIALING, terms, begins, zone, at, begins, trial_ends_at=begins)
    return begun(Step(Verb.SUBSCRIBE, at, None, state), covered)


def check_trial(terms: Terms, *, had_trial: bool) -> None:
    """Raise TrialNotOffered or TrialUsed where a plan cannot be tried, or not again."""
    if not terms.trial_days:
        raise refusals.TrialNotOffered(f"{terms.plan} cannot be tried.")
    if had_trial:
        raise refusals.TrialUsed("The account has had its trial: subscribe it without one.")


def months_begin(terms: Terms, at: datetime, *, trial: bool) -> datetime:
    """Return when the first month of credits of a subscription begins: now, or with the end of its trial."""
    return at + timedelta(days=terms.trial_days) if trial else at


def upgrade(state: State, month: Month | None, to: Terms, at: datetime, *, earlier: Earlier = None) -> Step:
    """Go to a plan of a higher rank at once; a cancellation or change that was scheduled is taken back.

    A trial goes on to its end on a plan that can be tried; another one begins at once.
    """
    _check_changeable(state)
    if to.plan == state.terms.plan:
        raise refusals.SamePlan(f"The subscription is on {to.plan} already.")
    if to.rank < state.terms.rank or to.is_default:
        raise refusals.NotAnUpgrade(f"{to.plan} ranks below {state.terms.plan}: downgrade to it.")
    return change_now(Verb.UPGRADE, state, month, to, at, earlier)


def downgrade(
    state: State, month: Month | None, to: Terms, at: datetime, *, at_once: bool = False, earlier: Earlier = None
) -> Step:
    """Go to a plan of a lower rank with the next period, or at once. To the default plan is to cancel."""
    _check_changeable(state)
    if to.plan == state.terms.plan:
        raise refusals.SamePlan(f"The subscription is on {to.plan} already.")
    if to.rank > state.terms.rank:
        raise refusals.NotADowngrade(f"{to.plan} ranks above {state.terms.plan}: upgrade to it.")
    if to.is_default:
        return cancel(state, at, at_period_end=not at_once)
    if at_once:
        return change_now(Verb.DOWNGRADE, state, month, to, at, earlier)
    return schedule(state, to, at)


def schedule(state: State, to: Terms, at: datetime) -> Step:
    """Let a version take over with the next period."""
    _check_live(state)
    after = replace(state, next_terms=to, cancel_at_period_end=False)
    return Step(Verb.SCHEDULE, at, state, after, figures={"from": after.period_end.isoformat()})


def cancel(state: State, at: datetime, *, at_period_end: bool) -> Step:
    """End a subscription with its period, or at once. What was granted stays until it expires."""
    _check_live(state)
    if at_period_end and state.period_end > at:
        after = replace(state, cancel_at_period_end=True, next_terms=None)
        return Step(Verb.CANCEL, at, state, after, figures={"ends_at": after.period_end.isoformat()})
    return Step(Verb.CANCEL, at, state, ended(state, at))


def resume(state: State, at: datetime) -> Step:
    """Take back a cancellation or a scheduled change; or let a paused subscription go on.

    Paused beyond the end of its period it begins a new one now, on the version that was scheduled if there was one.
    """
    _check_live(state)
    if state.status != Status.PAUSED:
        if not state.cancel_at_period_end and state.next_terms is None:
            raise refusals.NothingToResume("It is neither paused nor about to end or change.")
        return Step(Verb.RESUME, at, state, replace(state, cancel_at_period_end=False, next_terms=None))
    if at < state.period_end:
        after = replace(state, status=Status.ACTIVE, paused_at=None, cancel_at_period_end=False)
        return Step(Verb.RESUME, at, state, after)
    return _restart(Verb.RESUME, state, state.next_terms or state.terms, at, ZERO)


def pause(state: State, at: datetime) -> Step:
    """Stop a subscription for a while: the account is on the default plan, and nothing is granted until it resumes."""
    _check_live(state)
    if state.status == Status.PAUSED:
        return Step(Verb.PAUSE, at, state, state)
    if state.status == Status.TRIALING:
        raise refusals.NotNow("A trial cannot be paused: cancel it.")
    if state.status == Status.PAST_DUE:
        raise refusals.NotNow("A payment is due: pay it or cancel.")
    return Step(Verb.PAUSE, at, state, replace(state, status=Status.PAUSED, paused_at=at))


def mark_past_due(state: State, at: datetime) -> Step:
    """A payment failed: what the plan allows goes on for its days of grace, further credits wait for the payment."""
    _check_live(state)
    if state.status == Status.PAST_DUE:
        return Step(Verb.PAST_DUE, at, state, state)
    if state.status != Status.ACTIVE:
        raise refusals.NotNow("Only of an active subscription can a payment be due.")
    if not state.terms.grace_days:
        return Step(Verb.PAST_DUE, at, state, ended(state, at))
    ends = at + timedelta(days=state.terms.grace_days)
    after = replace(state, status=Status.PAST_DUE, past_due_at=at, grace_ends_at=ends)
    return Step(Verb.PAST_DUE, at, state, after, figures={"grace_ends_at": ends.isoformat()})


def mark_paid(state: State, at: datetime) -> Step:
    """What was due is paid: credits that waited are granted."""
    _check_live(state)
    if state.status != Status.PAST_DUE:
        return Step(Verb.PAID, at, state, state)
    return Step(Verb.PAID, at, state, replace(state, status=Status.ACTIVE, past_due_at=None, grace_ends_at=None))


def due_at(state: State) -> datetime | None:
    """Return when time changes a subscription next."""
    if state.status == Status.CANCELED:
        return None
    if state.status == Status.PAUSED:
        return state.period_end if state.cancel_at_period_end else None
    if state.grace_ends_at is not None:
        return min(state.period_end, state.grace_ends_at)
    return state.period_end


def settle(state: State, at: datetime) -> list[Step]:
    """Return what time has done to a subscription by a moment, in the order in which it fell due."""
    steps: list[Step] = []
    while (due := due_at(state)) is not None and due <= at:
        steps.append(_fallen_due(state, due))
        state = steps[-1].state
    return steps


def _fallen_due(state: State, at: datetime) -> Step:
    if state.cancel_at_period_end or at == state.grace_ends_at:
        return Step(Verb.END, at, state, ended(state, at))
    # A change that was scheduled waits while a payment is due: it holds from the period that follows the payment.
    to = state.terms if state.status == Status.PAST_DUE else state.next_terms or state.terms
    changed = to is not state.terms
    number = number_at(state.anchor, state.period_end, ZoneInfo(state.zone))
    after = replace(
        state,
        status=Status.ACTIVE if state.status == Status.TRIALING else state.status,
        terms=to,
        next_terms=None if changed else state.next_terms,
        period_start=state.period_end,
        period_end=boundary(state.anchor, number + to.months, ZoneInfo(state.zone)),
    )
    verb = Verb.ACTIVATE if state.status == Status.TRIALING else Verb.CHANGE if changed else Verb.RENEW
    return Step(verb, at, state, after)


def month_of(state: State, at: datetime) -> tuple[datetime, datetime] | None:
    """Return the month of credits that a moment lies in: its beginning, and its end. None before the first one."""
    zone = ZoneInfo(state.zone)
    number = number_at(state.anchor, at, zone)
    return period(state.anchor, number, zone) if number >= 0 else None


def unused(state: State, month: Month, at: datetime) -> Decimal:
    """Return how many of the credits that a month has brought are meant for its time after a moment.

    Had the plan never changed, that is what was granted, in proportion to the time. Where it has, what was used up by
    then is what the plans held until then were entitled to.
    """
    if not month.starts_at <= at < month.ends_at:
        return ZERO
    return max(month.granted - month.accrued + _fine(state.terms.monthly * month.left(at)), ZERO)


def price_difference(before: Terms, after: Terms) -> int | None:
    """Return how much more a period costs, in minor units; None where the two prices cannot be compared."""
    if (before.currency, before.months) != (after.currency, after.months) and before.price_minor and after.price_minor:
        return None
    return after.price_minor - before.price_minor


def change_now(verb: str, state: State, month: Month | None, to: Terms, at: datetime, earlier: Earlier) -> Step:
    """Change the plan at once.

    What the account is entitled to for the running month changes by the difference of the two plans for the time that
    is left; what exceeds what it has had is granted, rounded up to the unit's step.
    """
    after = replace(state, terms=to, next_terms=None, cancel_at_period_end=False)
    if state.status == Status.TRIALING and to.trial_days:
        return begun(Step(verb, at, state, after), unused(*earlier, state.anchor) if earlier else ZERO)
    if state.status == Status.TRIALING:
        return _restart(verb, state, to, at, unused(*earlier, at) if earlier else ZERO)
    if to.months != state.terms.months:
        return _restart(verb, state, to, at, unused(state, month, at) if month else ZERO)
    if month is None:
        return Step(verb, at, state, after)
    left = month.left(at)
    accrued = max(month.accrued + _fine((to.monthly - state.terms.monthly) * left), ZERO)
    more = _up(accrued - month.granted, to.step)
    changed = replace(month, accrued=accrued, granted=month.granted + more)
    figures = {
        "monthly_before": say(state.terms.monthly),
        "monthly_after": say(to.monthly),
        "part_left": say(_fine(left)),
        "accrued": say(accrued),
        "granted_before": say(month.granted),
        "credits": say(more),
    }
    return Step(verb, at, state, after, credits=more, month=changed, figures=figures)


def _restart(verb: str, state: State, to: Terms, at: datetime, covered: Decimal) -> Step:
    """Begin a period and count its months from now, less what earlier credits are meant for the time to come."""
    after = replace(
        state,
        status=Status.ACTIVE,
        terms=to,
        anchor=at,
        period_start=at,
        period_end=boundary(at, to.months, ZoneInfo(state.zone)),
        next_terms=None,
        cancel_at_period_end=False,
        paused_at=None,
    )
    return begun(Step(verb, at, state, after), covered)


def begun(step: Step, covered: Decimal) -> Step:
    """Return a step that begins months of credits, with what its first month brings."""
    terms, anchor = step.state.terms, step.state.anchor
    first = _up(terms.monthly - covered, terms.step)
    figures = {**step.figures, "monthly": say(terms.monthly), "covered": say(covered), "first": say(first)}
    month = Month(*period(anchor, 0, ZoneInfo(step.state.zone)), terms.monthly, covered + first) if covered else None
    return replace(step, first=first, covered=_up(covered, terms.step), month=month, figures=figures)


def ended(state: State, at: datetime) -> State:
    """Return a state as it is once it has ended."""
    return replace(
        state,
        status=Status.CANCELED,
        ended_at=at,
        cancel_at_period_end=False,
        next_terms=None,
        paused_at=None,
        past_due_at=None,
        grace_ends_at=None,
    )


def _check_live(state: State) -> None:
    if state.status == Status.CANCELED:
        raise refusals.SubscriptionEnded("The subscription has ended: subscribe the account anew.")


def _check_changeable(state: State) -> None:
    _check_live(state)
    if state.status == Status.PAST_DUE:
        raise refusals.NotNow("A payment is due: pay it before changing the plan.")
    if state.status == Status.PAUSED:
        raise refusals.NotNow("It is paused: resume it before changing the plan.")


def _up(amount: Decimal, step: Decimal) -> Decimal:
    """Return an amount rounded up to a unit's step; nothing where it is not positive."""
    if amount <= NOISE:
        return ZERO
    return ((amount - NOISE) / step).to_integral_value(ROUND_CEILING) * step


def _fine(figure: Decimal) -> Decimal:
    with localcontext(prec=60):
        return figure.quantize(FINE)
