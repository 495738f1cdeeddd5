"""Writes one step of a subscription: its row, its history, and what the ledger is told of it.

The ledger is told in advance what time will bring, so that it comes at its moment whether or not a clock runs: the
allowance with its end and the one after it, the standing order with its end and the one that takes over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from credits.models import AccountStatus, Allotment, GrantCategory
from credits.plan import SYSTEM, Actor, LotTerms, Memo, Sheet
from credits.plan.windows import boundary
from credits.services.allotments import Order, end_allotment, start_allotment
from credits.services.allowances import put_on_allowance
from credits.services.movements import add_credits
from subscriptions import rules
from subscriptions.models import CreditMonth, Status, Subscription, SubscriptionChange, Verb
from subscriptions.periods import number_at
from subscriptions.rules import State, Step, Terms
from subscriptions.services.rows import put_state, state_of

PLAN_PRIORITY = 40
# Before the plan's own: a trial's credits end sooner.
TRIAL_PRIORITY = 30
# Under which name a movement's metadata tells which invoice paid for it.
INVOICE = "invoice"


@dataclass(frozen=True, slots=True)
class Cause:
    """Who changes a subscription, and why; ``invoice`` is the provider's that paid for it, where one did."""

    actor: Actor
    reason: str = ""
    request_id: str = ""
    invoice: str = ""


TIME = Cause(SYSTEM)


def write(row: Subscription, step: Step, cause: Cause, at: datetime) -> None:
    """Write a step, all of it or nothing; a step that changes nothing leaves no trace.

    The account is locked and settled. ``at`` is now, which is later than the step where it was settled late.
    """
    if not step.changes:
        return
    with transaction.atomic():
        _arrange_orders(row, step, at)
        if step.before is None or _allowed(step.before) != _allowed(step.state):
            _put_on_allowance(row.account_id, step.state, at)
        put_state(row, step.state)
        row.updated_at = at
        row.save()
        change = _record(row, step, cause, at)
        if step.month is not None:
            CreditMonth.objects.update_or_create(
                subscription=row,
                starts_at=step.month.starts_at,
                defaults={
                    "ends_at": step.month.ends_at,
                    "accrued": step.month.accrued,
                    "granted": step.month.granted,
                },
            )
        if step.credits:
            _grant(row, step, change, cause, at)
            _let_run(row, step.state, at)


def settle(row: Subscription, sheet: Sheet) -> State:
    """Write what time has done to a subscription, and return it as it is now. Its account is locked and settled."""
    for step in rules.settle(state_of(row), sheet.at):
        write(row, step, TIME, sheet.at)
    state = state_of(row)
    if sheet.status == AccountStatus.CLOSED and state.status != Status.CANCELED:
        step = rules.cancel(state, sheet.at, at_period_end=False)
        write(row, step, Cause(SYSTEM, "The account was closed."), sheet.at)
        state = step.state
    return state


def grant_trial(row: Subscription, terms: Terms, cause: Cause, at: datetime) -> None:
    """Add the credits of a trial, which end with it."""
    if not terms.trial_credits:
        return
    add_credits(
        account=row.account_id,
        amount=terms.trial_credits,
        memo=Memo(
            cause.actor,
            description=f"Trial of {terms.plan}",
            reference_type="subscription",
            reference_id=f"{row.pk}:trial",
            request_id=cause.request_id,
        ),
        terms=LotTerms(GrantCategory.TRIAL, TRIAL_PRIORITY, row.trial_ends_at, transferable=False),
        at=at,
    )


def _arrange_orders(row: Subscription, step: Step, at: datetime) -> None:
    """Let the standing orders be those of the step's state."""
    before, state = step.before, step.state
    if step.verb in {Verb.CHANGE, Verb.ACTIVATE} and before is not None and before.next_terms is not None:
        row.allotment, row.next_allotment = row.next_allotment, None
    elif step.first is not None:
        _stop(row.allotment, step, at)
        row.allotment = _start(row, state, state.terms, 0, at, first=step.first, covered=step.covered)
    elif step.order_from is not None:
        _stop(row.allotment, step, at)
        row.allotment = _start(row, state, state.terms, step.order_from, at)
    elif before is not None and before.terms != state.terms:
        _stop(row.allotment, step, at)
        number = number_at(state.anchor, step.at, ZoneInfo(state.zone)) + 1
        row.allotment = _start(row, state, state.terms, max(number, 0), at, waits=bool(step.credits))
    following = state.next_terms if state.status in {Status.TRIALING, Status.ACTIVE} else None
    if row.next_allotment is not None and (before is None or before.next_terms != following):
        _stop(row.next_allotment, step, at)
        row.next_allotment = None
    if row.next_allotment is None and following is not None:
        number = number_at(state.anchor, state.period_end, ZoneInfo(state.zone))
        row.next_allotment = _start(row, state, following, number, at)
    if state.status == Status.CANCELED:
        _stop(row.allotment, step, at)
    elif not step.credits:
        _let_run(row, state, at)


def _let_run(row: Subscription, state: State, at: datetime) -> None:
    """Let the standing order issue what the state says that it may, of months that have begun at once."""
    if row.allotment is not None and row.allotment.ends_at != (ends_at := _order_ends_at(state)):
        row.allotment = end_allotment(allotment=row.allotment.pk, ends_at=ends_at, at=at)


def _order_ends_at(state: State) -> datetime | None:
    if state.paid_until is not None:
        return min(filter(None, (state.paid_until, state.paused_at)))
    if state.status in {Status.PAUSED, Status.PAST_DUE}:
        return state.paused_at or state.past_due_at
    return state.period_end if state.cancel_at_period_end or state.next_terms else None


def _start(
    row: Subscription,
    state: State,
    terms: Terms,
    number: int,
    at: datetime,
    *,
    first: Decimal | None = None,
    covered: Decimal = Decimal(0),
    waits: bool = False,
) -> Allotment | None:
    """Begin a standing order. One that ``waits`` issues nothing yet: credits of an earlier month come first."""
    if not terms.monthly:
        return None
    ends_at = None if state.paid_until is None else _order_ends_at(state)
    if waits:
        ends_at = boundary(state.anchor, number, ZoneInfo(state.zone))
    order = Order(
        source=f"subscription:{row.pk}",
        description=f"Plan {terms.plan}",
        amount=terms.monthly,
        first_amount=None if first == terms.monthly else first,
        covered=covered,
        anchor=state.anchor,
        time_zone=state.zone,
        first_period=number,
        priority=PLAN_PRIORITY,
        rollover_cap=terms.rollover_cap,
        ends_at=ends_at,
    )
    return start_allotment(account=row.account_id, order=order, at=at)


def _stop(order: Allotment | None, step: Step, at: datetime) -> None:
    """Let a standing order issue nothing from a step on, also where that was some time ago."""
    if order is not None and order.next_at is not None:
        end_allotment(allotment=order.pk, ends_at=step.at, at=at)


Allowed = tuple[str | None, datetime | None, str | None, date | None]


def _allowed(state: State) -> Allowed:
    """Return what an account may use by a state: the allowance, until when, and which one after it."""
    if state.status in {Status.PAUSED, Status.CANCELED}:
        return None, None, None, None
    anchor = state.anchor.astimezone(ZoneInfo(state.zone)).date() if state.terms.follows_subscription else None
    ends_at, following = None, None
    if state.status == Status.PAST_DUE:
        ends = (state.grace_ends_at, state.period_end if state.cancel_at_period_end else None)
        ends_at = min(filter(None, ends))
    elif state.cancel_at_period_end:
        ends_at = state.period_end
    elif state.next_terms is not None:
        ends_at, following = state.period_end, state.next_terms.allowance
    return state.terms.allowance, ends_at, following, anchor


def _put_on_allowance(account: UUID, state: State, at: datetime) -> None:
    code, ends_at, next_code, anchor = _allowed(state)
    put_on_allowance(account=account, code=code, ends_at=ends_at, next_code=next_code, quota_anchor=anchor, at=at)


def _record(row: Subscription, step: Step, cause: Cause, at: datetime) -> SubscriptionChange:
    before = step.before
    return SubscriptionChange.objects.create(
        subscription=row,
        verb=step.verb,
        at=step.at,
        from_status=before.status if before else "",
        to_status=step.state.status,
        from_version_id=before.terms.version if before else None,
        to_version_id=step.state.terms.version,
        actor_kind=cause.actor.kind,
        actor_id=cause.actor.id,
        actor_name=cause.actor.name,
        reason=cause.reason,
        metadata=step.figures,
        recorded_at=at,
    )


def _grant(row: Subscription, step: Step, change: SubscriptionChange, cause: Cause, at: datetime) -> None:
    """Add the credits that a change within a month brings. They end with the month, or roll over as its others do.

    Of a month that is over by now they have ended already: nothing comes.
    """
    if row.allotment is None or step.month is None:
        raise AssertionError("Credits come with a month and a standing order.")
    terms = step.state.terms
    number = number_at(step.state.anchor, step.at, ZoneInfo(step.state.zone))
    ends = None if terms.rollover_cap is not None else step.month.ends_at
    if ends is not None and ends <= at:
        return
    add_credits(
        account=row.account_id,
        amount=step.credits,
        memo=Memo(
            cause.actor,
            description=f"Plan {terms.plan}, for the rest of the month",
            reference_type="allotment",
            reference_id=f"{row.allotment.pk}:{number}:change-{change.pk}",
            request_id=cause.request_id,
            metadata={INVOICE: cause.invoice} if cause.invoice else {},
        ),
        terms=LotTerms(GrantCategory.PLAN, PLAN_PRIORITY, ends),
        at=at,
    )
