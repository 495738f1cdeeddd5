"""For callers who name an account and a plan, and leave it to us which verb that is."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from credits.plan import Owner, Sheet
from credits.services.accounts import NOTHING, insert_account
from credits.services.locks import lock_accounts
from credits.services.once import Once, money
from subscriptions import refusals, rules
from subscriptions.models import Plan, Status, Subscription
from subscriptions.rules import State, Step
from subscriptions.services.rows import check_unit, current_version, live_row, lock_settled, locked_row
from subscriptions.services.subscriptions import answered, begin, downgrading, upgrading
from subscriptions.services.writing import Cause, settle, write


@money
def go_to_plan(
    once: Once | None, /, *, owner: Owner, plan: str, cause: Cause, at: datetime | None = None
) -> Subscription | None:
    """Put an owner's account on a plan: subscribe or upgrade it at once, downgrade or cancel it with its period.

    A missing account is opened. To the plan it is on already, what was to end or change goes on, and what was paused is
    resumed. Returns None for an account that is to be on the default plan and has no subscription.
    Raises what ``subscribe``, ``upgrade`` and ``downgrade`` raise.
    """
    known = Plan.objects.filter(pk=plan).first()
    if known is None:
        raise refusals.UnknownPlan(f"There is no plan {plan}.")
    if not lock_accounts([owner.account], once=once, at=at):
        if known.is_default:
            return answered(once, None)
        check_unit(current_version(plan), owner.unit)
        insert_account(owner, NOTHING, at)
    sheet = lock_settled(owner.account, once=once, at=at)
    live = _live(sheet)
    if live is None:
        return answered(once, None if known.is_default else begin(sheet, plan, cause))
    row, state = live
    step = _towards(row, state, known, sheet.at)
    if step is not None:
        write(row, step, cause, sheet.at)
    return answered(once, row)


@money
def cancel_of(
    once: Once | None,
    /,
    *,
    account: UUID,
    cause: Cause,
    at_period_end: bool = True,
    at: datetime | None = None,
) -> Subscription:
    """End an account's subscription with its period, or at once. Raises UnknownAccount, UnknownSubscription, Busy."""
    sheet = lock_settled(account, once=once, at=at)
    live = _live(sheet)
    if live is None:
        raise refusals.UnknownSubscription("The account has no subscription.")
    row, state = live
    write(row, rules.cancel(state, sheet.at, at_period_end=at_period_end), cause, sheet.at)
    return answered(once, row)


def _live(sheet: Sheet) -> tuple[Subscription, State] | None:
    found = live_row(sheet.id)
    if found is None:
        return None
    row = locked_row(found.pk)
    state = settle(row, sheet)
    return None if state.status == Status.CANCELED else (row, state)


def _towards(row: Subscription, state: State, plan: Plan, at: datetime) -> Step | None:
    if plan.pk == state.terms.plan:
        leaving = state.cancel_at_period_end or state.next_terms is not None
        return rules.resume(state, at) if leaving or state.status == Status.PAUSED else None
    if plan.rank >= state.terms.rank:
        return upgrading(row, state, plan.pk, at)
    return downgrading(row, state, plan.pk, at, at_once=False)
