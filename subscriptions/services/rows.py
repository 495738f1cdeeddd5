"""Stored plans and subscriptions as the rules see them, and the lock under which they change."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import F, QuerySet

from credits import refusals as ledger
from credits import units
from credits.models import Allotment
from credits.plan import Sheet
from credits.services.expiry import settle_account
from credits.services.locks import lock_account
from credits.services.once import Once
from subscriptions import refusals, rules
from subscriptions.models import LIVE, CreditMonth, Interval, Plan, PlanVersion, Status, Subscription
from subscriptions.periods import number_at
from subscriptions.rules import Month, State, Terms

MONTHS = {Interval.MONTH: 1, Interval.YEAR: 12}


def terms_of(version: PlanVersion) -> Terms:
    """Return a plan's version as the rules see it."""
    return Terms(
        version=version.pk,
        number=version.number,
        plan=version.plan_id,
        rank=version.plan.rank,
        allowance=version.allowance_id,
        monthly=version.monthly_credits,
        step=Decimal(1).scaleb(-units.decimal_places(version.unit_id)),
        months=MONTHS[Interval(version.interval)],
        price_minor=version.price_minor,
        currency=version.currency,
        rollover_cap=version.rollover_cap,
        trial_days=version.trial_days,
        trial_credits=version.trial_credits,
        grace_days=version.grace_days,
        is_default=version.plan.is_default,
        follows_subscription=version.quotas_follow == "subscription",
    )


def state_of(row: Subscription) -> State:
    """Return a subscription as it is stored, which may not be as it is now."""
    return State(
        status=row.status,
        terms=terms_of(row.plan_version),
        anchor=row.anchor,
        zone=row.time_zone,
        period_start=row.current_period_start,
        period_end=row.current_period_end,
        trial_ends_at=row.trial_ends_at,
        past_due_at=row.past_due_at,
        grace_ends_at=row.grace_ends_at,
        cancel_at_period_end=row.cancel_at_period_end,
        next_terms=terms_of(row.next_version) if row.next_version else None,
        paused_at=row.paused_at,
        ended_at=row.ended_at,
        paid_until=row.paid_until,
    )


def put_state(row: Subscription, state: State) -> None:
    """Put a state on a row, which is not saved by it."""
    row.status = state.status
    row.plan_version_id = state.terms.version
    row.anchor = state.anchor
    row.current_period_start = state.period_start
    row.current_period_end = state.period_end
    row.trial_ends_at = state.trial_ends_at
    row.past_due_at = state.past_due_at
    row.grace_ends_at = state.grace_ends_at
    row.cancel_at_period_end = state.cancel_at_period_end
    row.next_version_id = state.next_terms.version if state.next_terms else None
    row.paused_at = state.paused_at
    row.ended_at = state.ended_at
    row.paid_until = state.paid_until
    row.next_due_at = rules.due_at(state)


def current_version(plan: str) -> PlanVersion:
    """Return what new subscribers of a plan get. Raises UnknownPlan, PlanNotOffered."""
    found = Plan.objects.filter(pk=plan).first()
    if found is None:
        raise refusals.UnknownPlan(f"There is no plan {plan}.")
    version = PlanVersion.objects.filter(plan=found).select_related("plan").order_by("-number").first()
    if version is None or not found.active:
        raise refusals.PlanNotOffered(f"{found.code} is not offered.")
    return version


def version_row(version: int) -> PlanVersion:
    """Return a version, with its plan."""
    return PlanVersion.objects.select_related("plan").get(pk=version)


def check_unit(version: PlanVersion, unit: str) -> None:
    """Refuse a plan that is not for accounts of a unit."""
    if version.unit_id != unit:
        raise ledger.InvalidField("plan", f"{version.plan_id} is for accounts in {version.unit_id}, not {unit}.")


def whole_rows() -> QuerySet[Subscription]:
    """Return subscriptions with everything the rules look at."""
    return Subscription.objects.select_related(
        "account", "plan_version__plan", "next_version__plan", "allotment", "next_allotment"
    )


def live_row(account: UUID) -> Subscription | None:
    """Return an account's live subscription as it is stored."""
    return whole_rows().filter(account_id=account, status__in=LIVE).first()


def had_trial(account: UUID) -> bool:
    """Tell whether an account has ever tried a plan."""
    return Subscription.objects.filter(account_id=account, trial_ends_at__isnull=False).exists()


def account_of(subscription: UUID) -> UUID:
    """Return whose subscription it is. Raises UnknownSubscription."""
    account = Subscription.objects.filter(pk=subscription).values_list("account_id", flat=True).first()
    if account is None:
        raise refusals.UnknownSubscription("There is no such subscription.")
    return account


def lock_settled(account: UUID, *, once: Once | None, at: datetime | None) -> Sheet:
    """Lock an account, and post what fell due on it. Raises what ``lock_account`` raises."""
    sheet = lock_account(account, once=once, at=at)
    if sheet.touched:
        settle_account(account=account, at=sheet.at)
    return sheet


def locked_row(subscription: UUID) -> Subscription:
    """Return a subscription, locked. Its account's lock must be held: that is the order in which they are taken."""
    return whole_rows().select_for_update(no_key=True, of=("self",)).get(pk=subscription)


def order_of(row: Subscription, state: State) -> Allotment | None:
    """Return the standing order that brings a state's credits: the next one where time has put it in force."""
    promoted = state.terms.version == row.next_version_id and state.terms.version != row.plan_version_id
    return row.next_allotment if promoted else row.allotment


def month_at(row: Subscription, state: State, at: datetime, *, sheet: Sheet | None = None) -> Month | None:
    """Return the figures of the month of credits that a moment lies in. None before the first one.

    ``sheet`` is the account's, where what it would issue is not posted.
    """
    bounds = rules.month_of(state, at)
    if bounds is None:
        return None
    kept = CreditMonth.objects.filter(subscription=row, starts_at=bounds[0]).first()
    if kept is not None:
        return Month(*bounds, kept.accrued, kept.granted)
    order = order_of(row, state)
    if order is not None and order.anchor == state.anchor:
        planned = {each.id: each.next_period for each in sheet.orders} if sheet else {}
        number = number_at(state.anchor, at, ZoneInfo(state.zone))
        if order.first_period <= number < planned.get(order.pk, order.next_period):
            first = order.first_amount if number == order.first_period else None
            brought = order.amount if first is None else first
            return Month(*bounds, brought, brought)
    return Month(*bounds, state.terms.monthly, rules.ZERO)


def earlier_of(account: UUID, at: datetime) -> rules.Earlier:
    """Return the account's last subscription that ended, with the month of credits that a moment lies in.

    One that ended in its trial, or with it, has brought no month: what counts is the one before.
    """
    ended = whole_rows().filter(account_id=account, status=Status.CANCELED)
    begun = ended.exclude(trial_ends_at=F("anchor"), ended_at__lte=F("anchor"))
    row = begun.order_by("-ended_at", "-id").first()
    if row is None:
        return None
    state = state_of(row)
    month = month_at(row, state, at)
    return (state, month) if month else None


def settled(row: Subscription, at: datetime, *, closed: bool = False) -> State:
    """Return a subscription as it is at a moment, settled or not. That of a closed account has ended."""
    state = state_of(row)
    steps = rules.settle(state, at)
    state = steps[-1].state if steps else state
    if closed and state.status != Status.CANCELED:
        return rules.cancel(state, at, at_period_end=False).state
    return state
