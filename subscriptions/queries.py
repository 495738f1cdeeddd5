"""What an account is on, and what it may use. Told as it is at a moment: nothing here writes or waits for a clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import F, OuterRef, QuerySet, Subquery

from credits.models import AccountStatus, Feature
from credits.plan import Sheet
from credits.plan.quotas import Standing as QuotaStanding
from credits.plan.quotas import standing as quota_standing
from credits.plan.state import UTC_CALENDAR, ZERO, QuotaCount
from credits.services.locks import read_account
from subscriptions import refusals, rules
from subscriptions.models import LIVE, PlanVersion, Status, Subscription
from subscriptions.rules import State, Step
from subscriptions.services.rows import account_of, live_row, settled, whole_rows
from subscriptions.services.subscriptions import downgrading, upgrading


@dataclass(frozen=True, slots=True)
class Standing:
    """What an account is on: its subscription as it is now, or without one the default plan."""

    subscription: Subscription | None
    state: State | None
    version: PlanVersion | None

    @property
    def status(self) -> str:
        """Its status; without a subscription an account is active on the default plan."""
        return self.state.status if self.state else Status.ACTIVE


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change would do: nothing was changed to find out."""

    step: Step
    effective_at: datetime
    before: PlanVersion
    after: PlanVersion | None
    price_difference: int | None


def current_subscription(account: UUID, *, at: datetime | None = None) -> Standing:
    """Return what an account is on, with everything that was due by then, written or not. Raises UnknownAccount."""
    return standing(read_account(account, at=at))


def standing(sheet: Sheet) -> Standing:
    """Return what an account is on at its sheet's moment."""
    row = live_row(sheet.id)
    if row is not None:
        state = settled(row, sheet.at, closed=sheet.status == AccountStatus.CLOSED)
        if state.status in LIVE:
            return Standing(row, state, version_of(state))
    return Standing(None, None, default_version(sheet.owner.unit))


def subscription_now(subscription: UUID, *, at: datetime | None = None) -> tuple[Subscription, State]:
    """Return a subscription and its state as it is now. Raises UnknownSubscription."""
    sheet = read_account(account_of(subscription), at=at)
    row = whole_rows().get(pk=subscription)
    return row, settled(row, sheet.at, closed=sheet.status == AccountStatus.CLOSED)


def preview_change(
    *, subscription: UUID, verb: str, plan: str = "", at_once: bool = False, at: datetime | None = None
) -> Preview:
    """Tell what an upgrade, downgrade or cancellation would do now, by the very rules that do it; writes nothing.

    Raises what the verb itself raises.
    """
    sheet = read_account(account_of(subscription), at=at)
    row = whole_rows().get(pk=subscription)
    state = settled(row, sheet.at, closed=sheet.status == AccountStatus.CLOSED)
    if verb == "upgrade":
        step = upgrading(row, state, plan, sheet.at, sheet=sheet)
    elif verb == "downgrade":
        step = downgrading(row, state, plan, sheet.at, at_once=at_once, sheet=sheet)
    else:
        step = rules.cancel(state, sheet.at, at_period_end=not at_once)
    after = step.state
    later = after.next_terms is not None or after.cancel_at_period_end
    ends = after.status == Status.CANCELED or after.cancel_at_period_end
    before = version_of(state)
    coming = after.next_terms or after.terms
    to = default_version(before.unit_id) if ends else PlanVersion.objects.get(pk=coming.version)
    difference = -state.terms.price_minor if ends else rules.price_difference(state.terms, coming)
    return Preview(step, state.period_end if later else sheet.at, before, to, difference)


def version_of(state: State) -> PlanVersion:
    """Return the version that a state is on."""
    return PlanVersion.objects.select_related("plan").get(pk=state.terms.version)


def default_version(unit: str) -> PlanVersion | None:
    """Return what accounts of a unit are on without a subscription, if there is a plan for them."""
    versions = PlanVersion.objects.filter(plan__is_default=True, unit_id=unit).select_related("plan")
    return versions.order_by("-number").first()


def newest_version(code: str) -> PlanVersion:
    """Return a plan's newest version. Raises UnknownPlan."""
    version = PlanVersion.objects.filter(plan_id=code).select_related("plan").order_by("-number").first()
    if version is None:
        raise refusals.UnknownPlan(f"There is no plan {code}.")
    return version


def offered_versions() -> QuerySet[PlanVersion]:
    """Return the newest version of each plan that is offered, annotated with the plan's rank."""
    newest = PlanVersion.objects.filter(plan=OuterRef("plan")).order_by("-number").values("pk")[:1]
    versions = PlanVersion.objects.filter(plan__active=True, pk=Subquery(newest)).select_related("plan")
    return versions.annotate(rank=F("plan__rank"))


def quotas_of(sheet: Sheet) -> list[QuotaStanding]:
    """Return every limit that an account is under, in order of feature and period."""
    limited = [count for count in sheet.quotas.values() if count.limit_at(sheet.at) is not None]
    return [quota_standing(sheet, count) for count in sorted(limited, key=lambda count: count.key)]


def quotas_unused(version: PlanVersion | None, at: datetime) -> list[QuotaStanding]:
    """Return a version's limits as one finds them who has never used anything; windows as in UTC."""
    counts = []
    for feature, period, measure, limit, hard in version.limits if version else ():
        begins, ends = UTC_CALENDAR.window(period, at)
        count = QuotaCount(feature, period, measure, since_sequence=0, window_start=begins, resets_at=ends)
        count.plan_limit, count.plan_hard = Decimal(limit), hard
        counts.append(QuotaStanding(count, ZERO, at))
    return sorted(counts, key=lambda each: each.count.key)


def features_of(sheet: Sheet) -> list[tuple[str, bool]]:
    """Return every feature of the catalogue, and whether an account may use it."""
    codes = Feature.objects.order_by("pk").values_list("pk", flat=True)
    return [(code, code not in sheet.denied) for code in codes]
