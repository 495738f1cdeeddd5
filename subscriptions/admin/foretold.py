"""What a change of plan brings and costs, as the lines of a preview."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from credits.admin import quota_words, show
from credits.admin.previews import Change
from credits.amounts import say_money
from credits.plan import Sheet
from credits.plan.allotments import beyond_cap
from credits.plan.state import QuotaKey
from subscriptions.models import PlanVersion, Status
from subscriptions.providers import Cost
from subscriptions.rules import Step

NOTHING = "Nothing"


def tell(
    sheet: Sheet,
    step: Step,
    before: PlanVersion | None,
    after: PlanVersion | None,
    effective_at: datetime,
    cost: Cost | None,
) -> list[Change]:
    """Return the plan, its credits, what is paid for it and its limits, before and after.

    ``sheet`` is the account as it is; ``cost`` what who collects the payments asks for, None where nobody does.
    """
    begins = step.before is None
    told = [
        Change("Plan", str(before) if before and not begins else "The default plan", str(after or "None")),
        Change("Takes effect", show.EMPTY, "Now" if begins else show.utc(effective_at)),
    ]
    return [*told, *_credits(sheet, step, before, after), *_payment(before, after, cost), *_limits(before, after)]


def _credits(sheet: Sheet, step: Step, before: PlanVersion | None, after: PlanVersion | None) -> Iterator[Change]:
    unit = _unit(before, after)
    now = step.credits_now
    yield Change("Credits at once", show.EMPTY, f"{show.amount(now, unit, signed=True)} {unit}" if now else NOTHING)
    if lapse := _lapse(sheet, step):
        beyond = f"Beyond the {show.amount(step.state.terms.rollover_cap or Decimal(0), unit)} that roll over"
        yield Change(beyond, show.EMPTY, f"{show.amount(-lapse, unit)} {unit} lapse")
    was, becomes = (each.monthly_credits if each else Decimal(0) for each in (before, after))
    yield Change("Credits a month", show.amount(was, unit), show.amount(becomes, unit))


def _lapse(sheet: Sheet, step: Step) -> Decimal:
    """Return what lapses at once of earlier months' credits, as the first month of a plan that begins now cuts them."""
    cap = step.state.terms.rollover_cap
    if cap is None or step.first is None or step.state.status != Status.ACTIVE:
        return Decimal(0)
    return beyond_cap(sheet, cap, step.covered)


def _unit(before: PlanVersion | None, after: PlanVersion | None) -> str:
    """Return the unit of the accounts that two plans are for."""
    version = after or before
    return version.unit_id if version else ""


def _payment(before: PlanVersion | None, after: PlanVersion | None, cost: Cost | None) -> Iterator[Change]:
    yield Change("Price of a period", _price(before), _price(after))
    if cost is None:
        if after and after.price_minor:
            yield Change("Collected by", show.EMPTY, "Nobody: see to the payment by hand")
        return
    yield Change("Charged to the customer's card now", show.EMPTY, _money(cost.due_now, cost))
    coming = "None comes"
    if cost.next_invoice is not None:
        coming = f"{_money(cost.next_invoice, cost)} on {show.utc(cost.next_invoice_at)}"
    yield Change("Next invoice", show.EMPTY, coming)


def _money(minor: int, cost: Cost) -> str:
    return say_money(minor, cost.currency) if minor else NOTHING


def _price(version: PlanVersion | None) -> str:
    if version is None or not version.price_minor:
        return NOTHING
    return f"{say_money(version.price_minor, version.currency)} a {version.interval}"


def _limits(before: PlanVersion | None, after: PlanVersion | None) -> Iterator[Change]:
    was, becomes = _limits_of(before), _limits_of(after)
    for key in sorted(was.keys() | becomes.keys()):
        if was.get(key) != becomes.get(key):
            name = quota_words.name(key)
            yield Change(f"{name[:1].upper()}{name[1:]}", was.get(key, "No limit"), becomes.get(key, "No limit"))


def _limits_of(version: PlanVersion | None) -> dict[QuotaKey, str]:
    return {
        QuotaKey(feature, period, measure): f"{show.quantity(Decimal(limit))}{'' if hard else ', warned beyond it'}"
        for feature, period, measure, limit, hard in (version.limits if version else ())
    }
