"""What may be done with a subscription. Each verb locks the account, settles what is due, and writes one step."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from django.db import transaction
from uuid_utils.compat import uuid7

from credits import refusals as ledger
from credits.models import AccountStatus
from credits.plan import Sheet
from credits.services.once import Once, money
from subscriptions import refusals, rules
from subscriptions.models import PlanVersion, Status, Subscription
from subscriptions.rules import State, Step
from subscriptions.services.rows import (
    account_of,
    check_unit,
    current_version,
    earlier_of,
    had_trial,
    live_row,
    lock_settled,
    locked_row,
    month_at,
    put_state,
    terms_of,
)
from subscriptions.services.writing import Cause, grant_trial, settle, write

MANUAL = "manual"


@money
def subscribe(
    once: Once | None,
    /,
    *,
    account: UUID,
    plan: str,
    cause: Cause,
    trial: bool = False,
    provider: str = MANUAL,
    provider_reference: str = "",
    at: datetime | None = None,
) -> Subscription:
    """Put an account on a plan's newest version from now on, with a trial where it is asked for.

    Of the first month's credits those are left out that a subscription which ended has brought for the same time.
    Raises UnknownAccount, AccountClosed, UnknownPlan, PlanNotOffered, AlreadySubscribed, TrialNotOffered, TrialUsed,
    Busy.
    """
    sheet = lock_settled(account, once=once, at=at)
    live = live_row(account)
    if live is not None and settle(live := locked_row(live.pk), sheet).status != Status.CANCELED:
        raise refusals.AlreadySubscribed(
            f"The account is on {live.plan_version.plan_id} already: upgrade or downgrade that subscription.",
            subscription_id=live.pk,
        )
    row = begin(sheet, plan, cause, trial=trial, provider=provider, provider_reference=provider_reference)
    return answered(once, row)


def begin(
    sheet: Sheet,
    plan: str,
    cause: Cause,
    *,
    trial: bool = False,
    provider: str = MANUAL,
    provider_reference: str = "",
) -> Subscription:
    """Put a locked and settled account that has no live subscription on a plan. Raises what ``subscribe`` raises."""
    step = beginning(sheet, plan, trial=trial)
    row = Subscription(
        id=uuid7(), account_id=sheet.id, provider=provider, provider_reference=provider_reference,
        time_zone=step.state.zone, created_at=sheet.at, updated_at=sheet.at,
    )  # fmt: skip
    put_state(row, step.state)
    with transaction.atomic():
        row.save(force_insert=True)
        write(row, step, cause, sheet.at)
        if trial:
            grant_trial(row, step.state.terms, cause, sheet.at)
    return row


def beginning(sheet: Sheet, plan: str, *, trial: bool = False) -> Step:
    """Return what puts an account that has no live subscription on a plan. Raises what ``subscribe`` raises."""
    if sheet.status == AccountStatus.CLOSED:
        raise ledger.AccountClosed("The account is closed.")
    version = current_version(plan)
    check_unit(version, sheet.owner.unit)
    if version.plan.is_default:
        raise ledger.InvalidField("plan", f"Accounts without a subscription are on {plan}.")
    terms = terms_of(version)
    return rules.subscribe(
        terms,
        sheet.calendar.zone,
        sheet.at,
        trial=trial,
        had_trial=had_trial(sheet.id),
        earlier=earlier_of(sheet.id, rules.months_begin(terms, sheet.at, trial=trial)),
    )


@money
def upgrade(
    once: Once | None, /, *, subscription: UUID, plan: str, cause: Cause, at: datetime | None = None
) -> Subscription:
    """Go to a plan of a higher rank now: what it allows, and the credits it brings more for the rest of the month.

    Raises UnknownSubscription, SubscriptionEnded, NotNow, SamePlan, NotAnUpgrade, UnknownPlan, PlanNotOffered, Busy.
    """
    return _change(once, subscription, cause, at, lambda row, state, now: upgrading(row, state, plan, now))


@money
def downgrade(
    once: Once | None,
    /,
    *,
    subscription: UUID,
    plan: str,
    cause: Cause,
    at_once: bool = False,
    at: datetime | None = None,
) -> Subscription:
    """Go to a plan of a lower rank with the next period, or at once; credits that were granted stay.

    To the default plan is to cancel. Raises what ``upgrade`` raises, and NotADowngrade.
    """
    return _change(
        once,
        subscription,
        cause,
        at,
        lambda row, state, now: downgrading(row, state, plan, now, at_once=at_once),
    )


@money
def cancel(
    once: Once | None,
    /,
    *,
    subscription: UUID,
    cause: Cause,
    at_period_end: bool = True,
    at: datetime | None = None,
) -> Subscription:
    """End a subscription with its period, or at once; credits that were granted stay until they expire.

    Raises UnknownSubscription, SubscriptionEnded, Busy.
    """
    return _change(
        once, subscription, cause, at, lambda row, state, now: rules.cancel(state, now, at_period_end=at_period_end)
    )


@money
def resume(once: Once | None, /, *, subscription: UUID, cause: Cause, at: datetime | None = None) -> Subscription:
    """Take back a cancellation or a scheduled change before it comes; or let a paused subscription go on.

    Raises UnknownSubscription, SubscriptionEnded, NothingToResume, Busy.
    """
    return _change(once, subscription, cause, at, lambda row, state, now: rules.resume(state, now))


@money
def pause(once: Once | None, /, *, subscription: UUID, cause: Cause, at: datetime | None = None) -> Subscription:
    """Stop a subscription until it is resumed: the account is on the default plan, and no credits come.

    Raises UnknownSubscription, SubscriptionEnded, NotNow, Busy.
    """
    return _change(once, subscription, cause, at, lambda row, state, now: rules.pause(state, now))


@money
def mark_past_due(
    once: Once | None, /, *, subscription: UUID, cause: Cause, at: datetime | None = None
) -> Subscription:
    """Note that a payment failed: access is kept for the plan's days of grace, further credits wait; then it ends.

    Raises UnknownSubscription, SubscriptionEnded, NotNow, Busy.
    """
    return _change(once, subscription, cause, at, lambda row, state, now: rules.mark_past_due(state, now))


@money
def mark_paid(once: Once | None, /, *, subscription: UUID, cause: Cause, at: datetime | None = None) -> Subscription:
    """Note that what was due is paid: credits that waited are granted.

    Raises UnknownSubscription, SubscriptionEnded, Busy.
    """
    return _change(once, subscription, cause, at, lambda row, state, now: rules.mark_paid(state, now))


def upgrading(row: Subscription, state: State, plan: str, at: datetime, *, sheet: Sheet | None = None) -> Step:
    """Return what an upgrade makes of a subscription. ``sheet`` is its account's where nothing is locked and posted."""
    version = current_version(plan)
    check_unit(version, row.plan_version.unit_id)
    return rules.upgrade(
        state, month_at(row, state, at, sheet=sheet), terms_of(version), at, earlier=_earlier(row, state, version, at)
    )


def downgrading(
    row: Subscription, state: State, plan: str, at: datetime, *, at_once: bool, sheet: Sheet | None = None
) -> Step:
    """Return what a downgrade makes of a subscription."""
    version = current_version(plan)
    check_unit(version, row.plan_version.unit_id)
    return rules.downgrade(
        state,
        month_at(row, state, at, sheet=sheet),
        terms_of(version),
        at,
        at_once=at_once,
        earlier=_earlier(row, state, version, at),
    )


def _earlier(row: Subscription, state: State, version: PlanVersion, at: datetime) -> rules.Earlier:
    """Return what an earlier subscription brought for the time at which a change during a trial begins a month."""
    if state.status != Status.TRIALING:
        return None
    return earlier_of(row.account_id, state.anchor if version.trial_days else at)


Row = TypeVar("Row", bound=Subscription | None)
Decide = Callable[[Subscription, State, datetime], Step]


def _change(once: Once | None, subscription: UUID, cause: Cause, at: datetime | None, decide: Decide) -> Subscription:
    sheet = lock_settled(account_of(subscription), once=once, at=at)
    row = locked_row(subscription)
    state = settle(row, sheet)
    write(row, decide(row, state, sheet.at), cause, sheet.at)
    return answered(once, row)


def answered(once: Once | None, row: Row) -> Row:
    """Keep the answer to a request, where it has a key."""
    if once is not None:
        once.record(once.answer_to(row))
    return row
