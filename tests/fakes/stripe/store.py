"""Everything that one mode (test or live) of the fake account holds, in memory."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterable
from typing import Any

from .errors import invalid, missing
from .forms import Params, whole

Obj = dict[str, Any]
API_VERSION = "2026-10-28.endive"
DAY = 86_400

# By the prefix of an id: the noun that errors use, and where the list lives.
KINDS = {
    "cus": ("customer", "/v1/customers"),
    "prod": ("product", "/v1/products"),
    "price": ("price", "/v1/prices"),
    "cs": ("checkout.session", "/v1/checkout/sessions"),
    "bps": ("billing_portal.session", "/v1/billing_portal/sessions"),
    "pi": ("payment_intent", "/v1/payment_intents"),
    "seti": ("setup_intent", "/v1/setup_intents"),
    "pm": ("payment_method", "/v1/payment_methods"),
    "sub": ("subscription", "/v1/subscriptions"),
    "sub_sched": ("subscription_schedule", "/v1/subscription_schedules"),
    "si": ("subscription_item", "/v1/subscription_items"),
    "in": ("invoice", "/v1/invoices"),
    "inpay": ("invoice_payment", "/v1/invoice_payments"),
    "ch": ("charge", "/v1/charges"),
    "re": ("refund", "/v1/refunds"),
    "du": ("dispute", "/v1/disputes"),
    "txn": ("balance_transaction", "/v1/balance_transactions"),
    "evt": ("event", "/v1/events"),
}


class Clock:
    """Seconds since 1970, which can be put forward."""

    def __init__(self, base: Callable[[], float]) -> None:
        self.base, self.offset = base, 0.0

    def now(self) -> int:
        return int(self.base() + self.offset)

    def at_least(self, moment: float) -> None:
        self.offset += max(moment - (self.base() + self.offset), 0.0)


class Store:
    """The objects by kind and id. Whoever touches them holds ``lock``."""

    def __init__(self, clock: Clock, lock: threading.RLock, *, live: bool, url: str = "") -> None:
        self.clock, self.lock, self.live, self.url = clock, lock, live, url
        self.on_event: Callable[[Obj], None] = lambda _: None
        self.other: Store | None = None
        # The request that is being served, for the events it causes.
        self.request: Obj = {"id": None, "idempotency_key": None}
        # What the account is set to do when an invoice's last try fails: cancel, unpaid or past_due.
        self.after_retries = "cancel"
        self.clear()

    def clear(self) -> None:
        self.tables: dict[str, dict[str, Obj]] = {prefix: {} for prefix in KINDS}
        self.counts: dict[str, int] = {}
        # What a card does when it is charged: a decline code, or nothing. No shape shows it.
        self.cards: dict[str, str] = {}
        # What a subscription's next invoice collects besides its price, and whose next payment is to fail.
        self.pending: dict[str, list[Obj]] = {}
        self.failing: set[str] = set()
        # What a Checkout session is about to make: its line items, and the data for what it makes.
        self.drafts: dict[str, Obj] = {}
        # Customers of whom only a stub is told.
        self.deleted: set[str] = set()
        # Whose trial was said to end soon.
        self.told: set[str] = set()

    def now(self) -> int:
        return self.clock.now()

    def new_id(self, prefix: str) -> str:
        count = self.counts[prefix] = self.counts.get(prefix, 0) + 1
        mode = ("live" if self.live else "test") + "_" if prefix == "cs" else "live" if self.live else ""
        return f"{prefix}_{mode}{count:012d}"

    def add(self, obj: Obj) -> Obj:
        self.tables[_prefix(obj["id"])][obj["id"]] = obj
        return obj

    def all(self, prefix: str, **equal: Any) -> list[Obj]:
        """Return those whose fields are as told, oldest first."""
        rows = self.tables[prefix].values()
        return [row for row in rows if all(row.get(name) == value for name, value in equal.items())]

    def find(self, prefix: str, identity: str) -> Obj | None:
        return self.tables[prefix].get(identity)

    def get(self, prefix: str, identity: str, param: str = "id") -> Obj:
        found = self.find(prefix, identity)
        if found is None or (identity in self.deleted and param != "id"):
            known = self.other is not None and self.other.find(prefix, identity) is not None
            mode = ("test" if self.live else "live") if known else ""
            raise missing(KINDS[prefix][0], identity, param, other_mode=mode)
        return found

    def named(self, identity: str) -> Obj | None:
        """Return whatever has that id, by its prefix."""
        return self.tables.get(_prefix(identity), {}).get(identity)

    def emit(self, kind: str, obj: Obj, previous: Obj | None = None) -> Obj:
        """Note what happened, with the object as it is now."""
        data: Obj = {"object": copy.deepcopy(obj)}
        if previous is not None:
            data["previous_attributes"] = previous
        event = {
            "id": self.new_id("evt"),
            "object": "event",
            "account": None,
            "api_version": API_VERSION,
            "context": None,
            "created": self.now(),
            "data": data,
            "livemode": self.live,
            "pending_webhooks": 1,
            "request": dict(self.request),
            "type": kind,
        }
        self.add(event)
        self.on_event(event)
        return event

    def change(self, obj: Obj, kind: str | None, **changed: Any) -> Obj:
        """Set fields, and emit ``kind`` with what they were before, unless nothing changes."""
        before = {name: copy.deepcopy(obj.get(name)) for name, value in changed.items() if obj.get(name) != value}
        obj.update(changed)
        if kind and before:
            self.emit(kind, obj, before)
        return obj

    def page(self, prefix: str, rows: Iterable[Obj], params: Params, url: str = "") -> Obj:
        """Return a page of rows given oldest first, told newest first as Stripe does."""
        limit = whole(params, "limit", 10)
        if limit is None or not 1 <= limit <= 100:
            raise invalid("Invalid integer: limit must lie between 1 and 100.", "limit", "parameter_invalid_integer")
        told = [row for row in reversed(list(rows)) if _within(row["created"], params.get("created"))]
        ids = [row["id"] for row in told]
        after, before = params.get("starting_after"), params.get("ending_before")
        start = 0
        if after:
            start = self._place(ids, prefix, after, "starting_after") + 1
        elif before:
            stop = self._place(ids, prefix, before, "ending_before")
            start = max(stop - limit, 0)
            return listed(told[start:stop], url or KINDS[prefix][1], more=start > 0)
        return listed(told[start : start + limit], url or KINDS[prefix][1], more=start + limit < len(told))

    def _place(self, ids: list[str], prefix: str, identity: str, param: str) -> int:
        if identity not in ids:
            raise missing(KINDS[prefix][0], identity, param)
        return ids.index(identity)

    def dump(self) -> Obj:
        """Return all of it, for a fake that is to be started again."""
        names = ("tables", "counts", "cards", "pending", "drafts")
        sets = {"failing": sorted(self.failing), "told": sorted(self.told), "deleted": sorted(self.deleted)}
        return {**{name: getattr(self, name) for name in names}, **sets}

    def load(self, kept: Obj) -> None:
        self.tables.update(kept["tables"])
        self.counts, self.cards, self.pending = kept["counts"], kept["cards"], kept["pending"]
        self.drafts, self.deleted = kept["drafts"], set(kept["deleted"])
        self.failing, self.told = set(kept["failing"]), set(kept["told"])


def _prefix(identity: str) -> str:
    return "sub_sched" if identity.startswith("sub_sched_") else identity.split("_", 1)[0]


def listed(rows: list[Obj], url: str, *, more: bool = False) -> Obj:
    return {"object": "list", "data": rows, "has_more": more, "url": url}


def _within(created: int, told: Any) -> bool:
    if told in (None, ""):
        return True
    bounds = told if isinstance(told, dict) else {"gte": told, "lte": told}
    tests: dict[str, Callable[[int], bool]] = {
        "gte": lambda bound: created >= bound,
        "gt": lambda bound: created > bound,
        "lte": lambda bound: created <= bound,
        "lt": lambda bound: created < bound,
    }
    return all(tests[name](int(bound)) for name, bound in bounds.items())
