"""Subscriptions: begun, changed, cancelled, and what time does to them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from . import invoices, payments, schedules, shapes
from .errors import ApiError, invalid
from .forms import Params, flag, merge, need, whole
from .periods import end_after
from .store import DAY, Obj, Store, listed

NOTICE_DAYS = 3
INCOMPLETE_HOURS = 23
OVER = ("canceled", "incomplete_expired")


def begin(store: Store, params: Params, *, present: bool = False) -> Obj:
    """Make a subscription, with its first invoice. Raises ApiError where that must be paid and is not."""
    customer = store.get("cus", need(params, "customer"), "customer")
    told = need(params, "items")
    prices = [(recurring_price(store, each["price"]), int(each.get("quantity", 1))) for each in told]
    trial_end = whole(params, "trial_end")
    days = whole(params, "trial_period_days")
    if days:
        trial_end = store.now() + days * DAY
    method = params.get("default_payment_method") or None
    if method:
        method = payments.method_of(store, method, customer["id"])["id"]
    behaviour = params.get("payment_behavior", "allow_incomplete")
    if behaviour == "error_if_incomplete" and not trial_end:
        _check_card(store, customer, method)
    start = store.now()
    end = trial_end or end_after(start, prices[0][0]["recurring"], start)
    sub = store.add(shapes.subscription(store, customer=customer["id"], currency=prices[0][0]["currency"]))
    sub |= {"default_payment_method": method, "metadata": merge({}, params.get("metadata"))}
    items = [
        store.add(shapes.subscription_item(store, sub, price, start=start, end=end, quantity=number))
        for price, number in prices
    ]
    sub["items"] = listed(items, f"/v1/subscription_items?subscription={sub['id']}")
    if trial_end:
        sub |= {"trial_start": start, "trial_end": trial_end, "billing_cycle_anchor": trial_end, "status": "trialing"}
        behaviour_end = params.get("trial_settings", {}).get("end_behavior", {}).get("missing_payment_method")
        sub["trial_settings"]["end_behavior"]["missing_payment_method"] = behaviour_end or "create_invoice"
        inv = invoices.make(store, sub, invoices.trial_lines(store, sub), "subscription_create")
    else:
        inv = invoices.make(store, sub, invoices.price_lines(store, sub), "subscription_create")
    store.emit("customer.subscription.created", sub)
    if behaviour == "default_incomplete" and inv["amount_due"]:
        invoices.finalise(store, inv)
    elif invoices.settle(store, inv, present=present) is None and sub["status"] == "incomplete":
        store.change(sub, "customer.subscription.updated", status="active")
    return sub


def _check_card(store: Store, customer: Obj, method: str | None) -> None:
    named = method or customer["invoice_settings"]["default_payment_method"]
    if not named:
        raise ApiError("This customer has no default payment method.", code="resource_missing", kept=True)
    if store.cards[named]:
        raise payments.declined(store.cards[named], None)


def recurring_price(store: Store, told: str) -> Obj:
    price = store.get("price", told, "price")
    if price["type"] != "recurring":
        raise invalid("The price specified is set to `type=one_time` but this field only accepts `type=recurring`.")
    if not price["active"]:
        raise invalid("The price specified is inactive. This field only accepts active prices.")
    return price


def item_of(sub: Obj) -> Obj:
    found: Obj = sub["items"]["data"][0]
    return found


def update(store: Store, sub: Obj, params: Params) -> Obj:
    """Change what is named. A change of price prorates as asked, create_prorations unless told."""
    if sub["status"] in OVER:
        raise invalid("A canceled subscription can only update its cancellation_details and metadata.")
    changed: Obj = {}
    if "metadata" in params:
        changed["metadata"] = merge(sub["metadata"], params["metadata"])
    if "default_payment_method" in params:
        method = payments.method_of(store, params["default_payment_method"], sub["customer"])
        changed["default_payment_method"] = method["id"]
    if "pause_collection" in params:
        told = params["pause_collection"] or None
        changed["pause_collection"] = told and {"behavior": told["behavior"], "resumes_at": whole(told, "resumes_at")}
    changed |= _ending(store, sub, params)
    before = copy.deepcopy({name: sub[name] for name in ("items", *changed)})
    error = _change_price(store, sub, params) if "items" in params else None
    if error is not None and params.get("payment_behavior") == "error_if_incomplete":
        raise error
    sub |= changed
    if params.get("trial_end") == "now" and sub["status"] == "trialing":
        end_trial(store, sub)
    previous = {name: value for name, value in before.items() if sub[name] != value}
    if previous:
        store.emit("customer.subscription.updated", sub, previous)
    return sub


def _ending(store: Store, sub: Obj, params: Params) -> Obj:
    if "cancel_at_period_end" in params or "cancel_at" in params:
        schedules.must_not_manage(sub)
    if "cancel_at_period_end" in params:
        end = flag(params, "cancel_at_period_end")
        at = item_of(sub)["current_period_end"] if end else None
        reason = {**sub["cancellation_details"], "reason": "cancellation_requested" if end else None}
        made = {"cancel_at_period_end": end, "cancel_at": at, "canceled_at": store.now() if end else None}
        return {**made, "cancellation_details": reason}
    if "cancel_at" in params:
        told = params["cancel_at"]
        at = item_of(sub)["current_period_end"] if told == "min_period_end" else whole(params, "cancel_at")
        return {"cancel_at": at, "cancel_at_period_end": False, "canceled_at": store.now() if at else None}
    return {}


def _new_items(store: Store, sub: Obj, told: list[Obj]) -> tuple[Obj, Obj]:
    """Return the item as it is and as it would be: one item is all that a plan has."""
    named = told[0]
    old = item_of(sub)
    if named.get("id", old["id"]) != old["id"]:
        raise invalid(f"Subscription item {named['id']} is not of this subscription", "items[0][id]")
    if "id" not in named:
        raise invalid(f"A subscription with {old['price']['id']} exists already: name the item's id.", "items[0][id]")
    new = copy.deepcopy(old)
    if "price" in named:
        new["price"] = recurring_price(store, named["price"])
        new["plan"] = shapes.plan(new["price"])
    new["quantity"] = whole(named, "quantity", old["quantity"])
    return old, new


def planned(store: Store, sub: Obj, params: Params, at: int) -> tuple[Obj, list[Obj], bool]:
    """Return the new item, what changing to it costs, and whether that is due at once. Changes nothing."""
    old, new = _new_items(store, sub, params["items"])
    how = params.get("proration_behavior", "create_prorations")
    if how not in ("create_prorations", "always_invoice", "none"):
        raise invalid(f"Invalid proration_behavior: {how}", "proration_behavior")
    recurring = ("interval", "interval_count")
    reset = [old["price"]["recurring"][name] for name in recurring] != [
        new["price"]["recurring"][name] for name in recurring
    ] or params.get("billing_cycle_anchor") == "now"
    if sub["status"] == "trialing":
        return new, [], False
    lines = [] if how == "none" else invoices.proration_lines(store, sub, old, new, at)
    if reset:
        new |= {"current_period_start": at, "current_period_end": end_after(at, new["price"]["recurring"], at)}
        lines = [*lines[:1], *invoices.price_lines(store, {**sub, "items": {"data": [new]}})]
    return new, lines, reset or how == "always_invoice"


def _change_price(store: Store, sub: Obj, params: Params) -> ApiError | None:
    at = whole(params, "proration_date", store.now()) or store.now()
    old = copy.deepcopy(item_of(sub))
    new, lines, at_once = planned(store, sub, params, at)
    strict = params.get("payment_behavior") == "error_if_incomplete" and at_once and lines
    if strict:
        _check_card(store, store.get("cus", sub["customer"]), sub["default_payment_method"])
    item_of(sub).update(new)
    if new["current_period_start"] != old["current_period_start"]:
        sub["billing_cycle_anchor"] = at
    if not at_once:
        store.pending.setdefault(sub["id"], []).extend(lines)
        return None
    lines = [*store.pending.pop(sub["id"], []), *lines]
    if not lines:
        return None
    error = invoices.settle(store, invoices.make(store, sub, lines, "subscription_update"))
    if error is not None and sub["status"] == "active":
        sub["status"] = "past_due"
        store.emit("customer.subscription.updated", sub, {"status": "active"})
    return error


def cancel(store: Store, sub: Obj, reason: str = "cancellation_requested", status: str = "canceled") -> Obj:
    """End a subscription now. Its open invoices are no longer collected by themselves."""
    if sub["status"] in OVER:
        raise invalid(f"No such subscription: '{sub['id']}'", "id", "resource_missing")
    now = store.now()
    if sub["schedule"]:
        schedules.release(store, store.get("sub_sched", sub["schedule"]), "canceled")
    sub |= {"status": status, "ended_at": now, "canceled_at": sub["canceled_at"] or now}
    sub["cancellation_details"] = {**sub["cancellation_details"], "reason": reason}
    store.pending.pop(sub["id"], None)
    for inv in store.all("in"):
        if inv["status"] in ("draft", "open") and invoices.subscription_of(store, inv) is sub:
            inv |= {"auto_advance": False, "next_payment_attempt": None}
    if status == "canceled":
        store.emit("customer.subscription.deleted", sub)
    return sub


def resume(store: Store, sub: Obj) -> Obj:
    """Wake a paused subscription: a new period begins and is invoiced."""
    if sub["status"] != "paused":
        raise invalid("Subscription is not paused.", "id")
    now = store.now()
    _new_period(sub, now, end_after(now, item_of(sub)["price"]["recurring"], now), anchor=now)
    store.change(sub, None, status="active")
    store.emit("customer.subscription.resumed", sub)
    store.emit("customer.subscription.updated", sub, {"status": "paused"})
    bill(store, sub, "subscription_cycle", (now, now))
    return sub


def _new_period(sub: Obj, start: int, end: int, anchor: int | None = None) -> None:
    for item in sub["items"]["data"]:
        item |= {"current_period_start": start, "current_period_end": end}
    if anchor is not None:
        sub["billing_cycle_anchor"] = anchor


def bill(store: Store, sub: Obj, reason: str, period: tuple[int, int]) -> None:
    """Invoice the current period with what was pending, and collect it."""
    lines = [*store.pending.pop(sub["id"], []), *invoices.price_lines(store, sub)]
    inv = invoices.make(store, sub, lines, reason, period)
    paused = sub["pause_collection"]
    if paused or sub["status"] == "unpaid":
        inv["auto_advance"] = False
        if paused and paused["behavior"] != "keep_as_draft":
            invoices.finalise(store, inv)
            (invoices.void if paused["behavior"] == "void" else invoices.uncollectible)(store, inv)
        return
    decline = "generic_decline" if sub["id"] in store.failing else ""
    store.failing.discard(sub["id"])
    collected(store, sub, invoices.settle(store, inv, decline=decline))


def collected(store: Store, sub: Obj, error: ApiError | None) -> None:
    """Set the status by how a payment went."""
    was = sub["status"]
    if error is None:
        if was in ("incomplete", "past_due", "unpaid"):
            store.change(sub, "customer.subscription.updated", status="active")
        return
    if was == "active":
        store.change(sub, "customer.subscription.updated", status="past_due")


def end_trial(store: Store, sub: Obj) -> None:
    """The trial is over: the first paid period begins."""
    now = store.now()
    missing = sub["trial_settings"]["end_behavior"]["missing_payment_method"]
    customer = store.get("cus", sub["customer"])
    has_card = sub["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]
    if not has_card and missing == "cancel":
        cancel(store, sub, "payment_failed")
        return
    if not has_card and missing == "pause":
        store.change(sub, None, status="paused")
        store.emit("customer.subscription.paused", sub)
        store.emit("customer.subscription.updated", sub, {"status": "trialing"})
        return
    start = item_of(sub)["current_period_start"]
    _new_period(sub, now, end_after(now, item_of(sub)["price"]["recurring"], now), anchor=now)
    sub |= {"status": "active", "trial_end": now}
    store.emit("customer.subscription.updated", sub, {"status": "trialing"})
    bill(store, sub, "subscription_cycle", (start, now))


def renew(store: Store, sub: Obj) -> None:
    """The period is over: the next one begins, whether or not it gets paid."""
    item = item_of(sub)
    before = {"items": copy.deepcopy(sub["items"])}
    start, end = item["current_period_start"], item["current_period_end"]
    price = schedules.begin_phase(store, sub, end)
    if price is not None:
        item |= {"price": price, "plan": shapes.plan(price)}
    _new_period(sub, end, end_after(sub["billing_cycle_anchor"], item["price"]["recurring"], end))
    store.emit("customer.subscription.updated", sub, before)
    bill(store, sub, "subscription_cycle", (start, end))


Step = Callable[[], Any]


def due(store: Store) -> list[tuple[int, Step]]:
    """Return what time will do to each subscription next, and when."""
    steps: list[tuple[int, Step]] = []
    for sub in store.all("sub"):
        if sub["status"] not in OVER:
            steps += _due(store, sub)
    return steps


def _due(store: Store, sub: Obj) -> list[tuple[int, Step]]:
    status, end = sub["status"], item_of(sub)["current_period_end"]
    if status == "incomplete":
        return [(sub["created"] + INCOMPLETE_HOURS * 3600, lambda: _expire(store, sub))]
    if sub["cancel_at"] is not None and sub["cancel_at"] <= end:
        steps: list[tuple[int, Step]] = [(sub["cancel_at"], lambda: cancel(store, sub))]
    elif status == "trialing":
        steps = [(sub["trial_end"], lambda: end_trial(store, sub))]
        if sub["id"] not in store.told:
            steps.append((sub["trial_end"] - NOTICE_DAYS * DAY, lambda: _trial_ends(store, sub)))
    elif status == "paused":
        steps = []
    else:
        steps = [(end, lambda: renew(store, sub))]
    inv = store.find("in", sub["latest_invoice"] or "")
    if inv is not None and inv["status"] == "open" and inv["next_payment_attempt"]:
        steps.append((inv["next_payment_attempt"], lambda: retry(store, inv)))
    paused = sub["pause_collection"]
    if paused and paused["resumes_at"]:
        wake = {"pause_collection": None}
        steps.append((paused["resumes_at"], lambda: store.change(sub, "customer.subscription.updated", **wake)))
    return steps


def _trial_ends(store: Store, sub: Obj) -> None:
    store.told.add(sub["id"])
    store.emit("customer.subscription.trial_will_end", sub)


def _expire(store: Store, sub: Obj) -> None:
    cancel(store, sub, "payment_failed", "incomplete_expired")
    store.emit("customer.subscription.updated", sub, {"status": "incomplete"})
    inv = store.get("in", sub["latest_invoice"])
    if inv["status"] == "open":
        invoices.void(store, inv)


def retry(store: Store, inv: Obj) -> ApiError | None:
    """Try to collect an invoice again; after the last failure the subscription ends as the account is set to."""
    sub = invoices.subscription_of(store, inv)
    error = invoices.pay(store, inv)
    collected(store, sub, error)
    if error is not None and inv["next_payment_attempt"] is None and sub["status"] not in OVER:
        if store.after_retries == "cancel":
            cancel(store, sub, "payment_failed")
        elif store.after_retries == "unpaid":
            store.change(sub, "customer.subscription.updated", status="unpaid")
    return error
