"""Plans and their versions: added, never changed. Whom a new version touches, and when."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from credits import refusals as ledger
from credits import units
from credits.models import Account, AccountStatus
from credits.models.fields import MAX_AMOUNT
from credits.plan.lots import check_step
from credits.services import clock
from credits.services.allowances import Limit, add_allowance, make_default
from credits.services.once import Once, money
from subscriptions import refusals, rules
from subscriptions.models import LIVE, Interval, Plan, PlanVersion, QuotasFollow, Subscription
from subscriptions.services.rows import account_of, lock_settled, locked_row, terms_of
from subscriptions.services.writing import Cause, settle, write

CODE = re.compile(r"[A-Z0-9][A-Z0-9._-]{0,49}")
CURRENCY = re.compile(r"[A-Z]{3}")
MOST_DAYS = 3660


@dataclass(frozen=True, slots=True)
class Offer:
    """What a plan's version shall bring, and for how much: ``price_minor`` each ``interval``, in minor units."""

    price_minor: int = 0
    currency: str = "USD"
    interval: str = Interval.MONTH
    unit: str = "credits"
    monthly_credits: Decimal = Decimal(0)
    rollover_cap: Decimal | None = None
    trial_days: int = 0
    trial_credits: Decimal = Decimal(0)
    grace_days: int = 0
    features: Collection[str] = field(default_factory=tuple)
    limits: Sequence[Limit] = ()
    quotas_follow: str = QuotasFollow.CALENDAR


@dataclass(frozen=True, slots=True)
class Touched:
    """Whom a new version of a plan reaches when it is to move who is on it.

    ``moves`` are subscriptions that go to it, each with its next period; ``stay`` counts those that end or go elsewhere
    before. ``at_once`` counts accounts without a subscription, where it is the default plan's.
    """

    moves: list[Subscription]
    stay: int
    at_once: int


def add_plan(*, code: str, name: str, rank: int, is_default: bool = False, at: datetime | None = None) -> Plan:
    """Add a plan, which is offered once it has a version. Raises InvalidField; IntegrityError where there is one."""
    if not CODE.fullmatch(code):
        raise ledger.InvalidField("code", "Use capital letters, digits, . _ and -, at most 50.")
    return Plan.objects.create(code=code, name=name, rank=rank, is_default=is_default, created_at=clock.due(at))


def change_plan(*, code: str, name: str | None = None, active: bool | None = None) -> Plan:
    """Change what a plan is called, or whether it is offered; who has it keeps it.

    Raises UnknownPlan; InvalidField where the default plan was to be withdrawn.
    """
    plan = _known(code)
    if active is False and plan.is_default:
        raise ledger.InvalidField("active", "The default plan is offered always.")
    plan.name = plan.name if name is None else name
    plan.active = plan.active if active is None else active
    plan.save(update_fields=["name", "active"])
    return plan


def add_plan_version(
    *, plan: str, offer: Offer, cause: Cause, move_existing: bool = False, at: datetime | None = None
) -> PlanVersion:
    """Add a version to a plan: new subscribers get it from now on. Credits and periods of others stay as they are.

    With ``move_existing`` they go to it with their next period. The default plan has no periods, so a further version
    of it needs ``move_existing``: it holds for every account without a subscription at once.
    Raises UnknownPlan, InvalidField.
    """
    version = _insert(plan, offer, cause, at, move_existing=move_existing)
    if move_existing and not version.plan.is_default:
        move_subscriptions(version=version.pk, cause=cause, at=at)
    return version


def preview_plan_version(*, plan: str) -> Touched:
    """Tell whom a further version of a plan would reach with ``move_existing``. Raises UnknownPlan."""
    found = _known(plan)
    on_it = Subscription.objects.filter(plan_version__plan=found, status__in=LIVE)
    moves = _movable(found)
    latest = found.versions.order_by("-number").first()
    at_once = 0
    if found.is_default and latest is not None:
        accounts = Account.objects.filter(unit_id=latest.unit_id).exclude(status=AccountStatus.CLOSED)
        at_once = accounts.filter(allowance__isnull=True).count()
    listed = list(moves.select_related("account", "plan_version").order_by("current_period_end", "id"))
    return Touched(listed, on_it.count() - len(listed), at_once)


def move_subscriptions(*, version: int, cause: Cause, at: datetime | None = None) -> int:
    """Let the subscriptions of a version's plan go to it with their next period. Returns how many will.

    Each in its own transaction; again does the rest. Those that end or change before are left alone.
    """
    to = PlanVersion.objects.select_related("plan").get(pk=version)
    rows = _movable(to.plan).exclude(plan_version=to).exclude(next_version=to)
    return sum(_move(subscription=pk, version=to, cause=cause, at=at) for pk in list(rows.values_list("pk", flat=True)))


@money
def _move(once: Once | None, /, *, subscription: UUID, version: PlanVersion, cause: Cause, at: datetime | None) -> bool:
    sheet = lock_settled(account_of(subscription), once=once, at=at)
    row = locked_row(subscription)
    state, to = settle(row, sheet), terms_of(version)
    leaving = state.cancel_at_period_end or (state.next_terms is not None and state.next_terms.plan != to.plan)
    if state.status not in LIVE or state.terms.plan != to.plan or state.terms == to or leaving:
        return False
    write(row, rules.schedule(state, to, sheet.at), cause, sheet.at)
    return True


def _movable(plan: Plan) -> QuerySet[Subscription]:
    rows = Subscription.objects.filter(plan_version__plan=plan, status__in=LIVE, cancel_at_period_end=False)
    return rows.filter(Q(next_version__isnull=True) | Q(next_version__plan=plan))


@transaction.atomic
def _insert(code: str, offer: Offer, cause: Cause, at: datetime | None, *, move_existing: bool) -> PlanVersion:
    plan = _known(code, locked=True)
    _check(offer, plan)
    latest = plan.versions.order_by("-number").first()
    if latest is not None and plan.is_default and not move_existing:
        raise ledger.InvalidField(
            "move_existing", "The default plan has no periods to wait for: a further version holds for all at once."
        )
    if latest is not None and latest.unit_id != offer.unit:
        raise ledger.InvalidField("unit", f"{plan.code} is counted in {latest.unit_id}.")
    number = latest.number + 1 if latest else 1
    allowance = add_allowance(
        code=f"{plan.code} v{number}", unit=offer.unit, features=offer.features, limits=offer.limits, at=at
    )
    version = PlanVersion.objects.create(
        plan=plan,
        number=number,
        price_minor=offer.price_minor,
        currency=offer.currency,
        interval=offer.interval,
        unit_id=offer.unit,
        monthly_credits=offer.monthly_credits,
        rollover_cap=offer.rollover_cap,
        trial_days=offer.trial_days,
        trial_credits=offer.trial_credits,
        grace_days=offer.grace_days,
        features=allowance.features,
        limits=allowance.limits,
        quotas_follow=offer.quotas_follow,
        allowance=allowance,
        created_by=cause.actor.name,
        created_at=clock.due(at),
    )
    if plan.is_default:
        make_default(code=allowance.pk)
    version.refresh_from_db()
    return version


def _check(offer: Offer, plan: Plan) -> None:
    """Refuse terms that make no sense."""
    _check_figures(offer)
    if not CURRENCY.fullmatch(offer.currency):
        raise ledger.InvalidField("currency", "Three capital letters, as ISO 4217 has them.")
    if offer.interval not in Interval.values:
        raise ledger.InvalidField("interval", f"One of {', '.join(Interval.values)}.")
    if offer.quotas_follow not in QuotasFollow.values:
        raise ledger.InvalidField("quotas_follow", f"One of {', '.join(QuotasFollow.values)}.")
    if offer.trial_credits and not offer.trial_days:
        raise ledger.InvalidField("trial_credits", "Without trial days there is no trial to give them.")
    if plan.is_default and (offer.monthly_credits or offer.trial_days or offer.price_minor):
        raise ledger.InvalidField("plan", "The default plan has no subscription: no price, no credits, no trial.")


def _check_figures(offer: Offer) -> None:
    places = units.decimal_places(offer.unit)
    for name in ("monthly_credits", "trial_credits", "rollover_cap"):
        amount = getattr(offer, name)
        if amount is None:
            continue
        if not amount.is_finite() or not 0 <= amount <= MAX_AMOUNT:
            raise ledger.InvalidField(name, "The amount must be zero or more.")
        check_step(offer.unit, places, amount, name)
    for name in ("trial_days", "grace_days"):
        if not 0 <= getattr(offer, name) <= MOST_DAYS:
            raise ledger.InvalidField(name, f"From 0 to {MOST_DAYS} days.")
    if not 0 <= offer.price_minor <= 10**15:
        raise ledger.InvalidField("price_minor", "A price is zero or more.")


def _known(code: str, *, locked: bool = False) -> Plan:
    plans = Plan.objects.select_for_update() if locked else Plan.objects.all()
    plan = plans.filter(pk=code).first()
    if plan is None:
        raise refusals.UnknownPlan(f"There is no plan {code}.")
    return plan
