"""Subscription schedules: which price a subscription has from which period on."""

from __future__ import annotations

from typing import Any

from . import shapes
from .errors import invalid
from .forms import Params, need, whole
from .periods import boundary
from .store import Obj, Store

LIVE = ("active", "not_started")


def create(store: Store, params: Params) -> Obj:
    """Put a subscription under a schedule, whose one phase is the running period."""
    sub = store.get("sub", need(params, "from_subscription"), "from_subscription")
    if sub["schedule"]:
        raise invalid("You cannot migrate a subscription that is already attached to a schedule.", "from_subscription")
    if sub["status"] in ("canceled", "incomplete_expired") or sub["cancel_at"]:
        raise invalid("You cannot migrate a subscription that is about to end.", "from_subscription")
    item = sub["items"]["data"][0]
    phase = _phase(sub, item["price"], item["current_period_start"], item["current_period_end"])
    made = store.add(shapes.schedule(store, sub, [phase]))
    store.change(sub, "customer.subscription.updated", schedule=made["id"])
    store.emit("subscription_schedule.created", made)
    return made


def update(store: Store, schedule: Obj, params: Params) -> Obj:
    """Say the phases anew: the running one first, as it began, and those that follow without a gap."""
    _must_live(schedule)
    sub = store.get("sub", schedule["subscription"])
    phases: list[Obj] = []
    for told in need(params, "phases"):
        price = store.get("price", told["items"][0]["price"], "phases[0][items][0][price]")
        start = whole(told, "start_date") if not phases else phases[-1]["end_date"]
        if start is None or (not phases and start != schedule["phases"][0]["start_date"]):
            raise invalid("The first phase keeps its start_date.", "phases[0][start_date]")
        end = whole(told, "end_date")
        if "duration" in told:
            length = {"interval": told["duration"]["interval"], "interval_count": 1}
            end = boundary(start, length, whole(told["duration"], "interval_count", 1) or 1)
        if end is None or end <= start:
            raise invalid("A phase needs an end_date or a duration.", "phases[0][end_date]")
        phases.append(_phase(sub, price, start, end))
    changed: dict[str, Any] = {"phases": phases, "end_behavior": params.get("end_behavior", schedule["end_behavior"])}
    return store.change(schedule, "subscription_schedule.updated", **changed)


def release(store: Store, schedule: Obj, status: str = "released") -> Obj:
    """Let the subscription go on as it is."""
    _must_live(schedule)
    sub = store.get("sub", schedule["subscription"])
    now = store.now()
    done = {"released_subscription": sub["id"], "released_at": now} if status == "released" else {"canceled_at": now}
    schedule |= {**done, "status": status, "current_phase": None}
    store.change(sub, "customer.subscription.updated" if status == "released" else None, schedule=None)
    store.emit(f"subscription_schedule.{status}", schedule)
    return schedule


def begin_phase(store: Store, sub: Obj, at: int) -> Obj | None:
    """Return the price of the phase that begins with a period, if one does; the schedule ends with its last phase."""
    schedule = store.find("sub_sched", sub["schedule"] or "")
    if schedule is None:
        return None
    phase = next((each for each in schedule["phases"] if each["start_date"] == at), None)
    if phase is not None:
        schedule["current_phase"] = {"start_date": phase["start_date"], "end_date": phase["end_date"]}
    elif schedule["phases"][-1]["end_date"] <= at:
        release(store, schedule)
    return store.get("price", phase["items"][0]["price"]) if phase else None


def must_not_manage(sub: Obj) -> None:
    if sub["schedule"]:
        text = f"The subscription is managed by the subscription schedule `{sub['schedule']}`, and updating any"
        raise invalid(f"{text} cancelation behavior directly is not allowed.", "cancel_at_period_end")


def _must_live(schedule: Obj) -> None:
    if schedule["status"] not in LIVE:
        raise invalid(f"This subscription schedule is {schedule['status']}.", "id")


def _phase(sub: Obj, price: Obj, start: int, end: int) -> Obj:
    item = {"price": price["id"], "plan": price["id"], "quantity": 1, "metadata": {}, "discounts": [], "tax_rates": []}
    made: Obj = {"start_date": start, "end_date": end, "items": [item], "currency": sub["currency"], "metadata": {}}
    return {**made, "proration_behavior": "none", "trial_end": sub["trial_end"], "billing_cycle_anchor": None}
