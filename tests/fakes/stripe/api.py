"""One request, one answer: the key, the Idempotency-Key, the route, and what is to be expanded."""

from __future__ import annotations

import copy
import json
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

from . import checkout, errors, forms, invoices, routes
from .errors import ApiError
from .store import API_VERSION, DAY, Obj, Store, listed

# What is told of an object only where it is asked for.
INCLUDED: dict[tuple[str, str], Any] = {
    ("invoice", "payments"): lambda s, o: listed(invoices.payments_of(s, o), f"/v1/invoices/{o['id']}/payments"),
    ("charge", "refunds"): lambda s, o: listed(s.all("re", charge=o["id"])[::-1], f"/v1/charges/{o['id']}/refunds"),
    ("customer", "subscriptions"): lambda s, o: listed(s.all("sub", customer=o["id"])[::-1], "/v1/subscriptions"),
    ("checkout.session", "line_items"): checkout.line_items,
}
DEEPEST = 4


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    params: Obj
    key: str
    once: str | None
    headers: dict[str, str]


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Fault:
    """What goes wrong with a request whose method and path it fits.

    ``after``: the work is done first, and only the answer is lost. ``drop``: the connection ends without an answer.
    ``gate``: the request is held, as one in progress, until the gate opens.
    """

    status: int = 500
    path: str = ""
    method: str = ""
    after: bool = False
    drop: bool = False
    gate: threading.Event | None = None
    reached: threading.Event = field(default_factory=threading.Event)


class Dropped(Exception):
    """The connection is to be cut."""


@dataclass
class Kept:
    """What became of a request with an Idempotency-Key; no answer means that it is in progress."""

    asked: tuple[str, str, str]
    at: int
    answer: Answer | None = None


class Api:
    """The API of one account in its two modes, each by the keys that open it."""

    def __init__(self, modes: Mapping[str, Store]) -> None:
        self.modes = modes
        self.asked: list[Asked] = []
        self.faults: deque[Fault] = deque()
        self._kept: dict[tuple[bool, str], Kept] = {}
        self._lock = threading.Lock()
        self._requests = 0

    def clear(self) -> None:
        with self._lock:
            self.asked.clear()
            self.faults.clear()
            self._kept.clear()

    def answer(self, method: str, path: str, form: str, headers: Message[str, str]) -> Answer:
        """Serve a request. Raises Dropped."""
        key = headers.get("Authorization", "").removeprefix("Bearer ")
        once = headers.get("Idempotency-Key") if method == "POST" else None
        with self._lock:
            self._requests += 1
            number = f"req_{self._requests:014d}"
            self.asked.append(Asked(method, path, forms.parse(form), key, once, dict(headers)))
            fault = self._fault(method, path)
        told = {"Request-Id": number, "Stripe-Version": headers.get("Stripe-Version") or API_VERSION}
        if once:
            told |= {"Idempotency-Key": once, "Original-Request": number}
        try:
            answer = self._serve(method, path, form, self._store(key), once, number, fault)
        except ApiError as error:
            answer = printed(error.status, {"error": error.error})
        if fault is not None and fault.gate is None:
            if fault.drop:
                raise Dropped
            answer = printed(fault.status, {"error": {"type": "api_error", "message": "Something went wrong."}})
        return Answer(answer.status, answer.body, {**told, **answer.headers})

    def _store(self, key: str) -> Store:
        store = self.modes.get(key)
        if store is None:
            raise errors.bad_key(key)
        return store

    def _fault(self, method: str, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.path in path and fault.method in ("", method):
                self.faults.remove(fault)
                return fault
        return None

    def _serve(
        self, method: str, path: str, form: str, store: Store, once: str | None, number: str, fault: Fault | None
    ) -> Answer:
        if fault is not None and fault.gate is None and not fault.after:
            return Answer(0, b"")
        if once is None:
            return self._work(method, path, form, store, number, None, fault)
        if len(once) > 255:
            raise errors.invalid("Idempotency keys may be at most 255 characters.")
        place, asked = (store.live, once), (method, path, json.dumps(forms.parse(form), sort_keys=True))
        with self._lock:
            kept = self._kept.get(place)
            if kept is not None and kept.answer is not None and store.now() - kept.at > DAY:
                # Stripe forgets a key after a day: then it is a new one.
                kept = None
            if kept is None:
                self._kept[place] = Kept(asked, store.now())
        if kept is not None:
            return _again(kept, asked, once)
        answer: Answer | None = None
        try:
            answer = self._work(method, path, form, store, number, once, fault)
        except ApiError as error:
            if error.kept:
                answer = printed(error.status, {"error": error.error})
            raise
        finally:
            with self._lock:
                if answer is None:
                    # Nothing had begun: the key is free.
                    self._kept.pop(place, None)
                else:
                    self._kept[place].answer = answer
        return answer

    def _work(
        self, method: str, path: str, form: str, store: Store, number: str, once: str | None, fault: Fault | None
    ) -> Answer:
        if fault is not None and fault.gate is not None:
            fault.reached.set()
            fault.gate.wait()
        found = routes.find(method, path)
        if found is None:
            text = f"Unrecognized request URL ({method}: {path})."
            raise ApiError(text, status=404)
        route, identity = found
        params = forms.parse(form)
        unknown = sorted(set(params) - route.knows)
        if unknown:
            raise errors.unknown(unknown)
        with store.lock:
            store.request = {"id": number, "idempotency_key": once}
            try:
                obj = route.does(store, params, identity)
                return printed(200, expanded(store, obj, params.get("expand", [])))
            finally:
                store.request = {"id": None, "idempotency_key": None}


def _again(kept: Kept, asked: tuple[str, str, str], once: str) -> Answer:
    if kept.asked != asked:
        raise errors.other_request(once)
    if kept.answer is None:
        raise errors.in_use(once)
    return Answer(kept.answer.status, kept.answer.body, {"Idempotent-Replayed": "true"})


def printed(status: int, body: Obj) -> Answer:
    return Answer(status, json.dumps(body).encode(), {"Content-Type": "application/json"})


def expanded(store: Store, obj: Obj, paths: list[str]) -> Obj:
    """Return a copy of an object with what was asked for in the place of ids."""
    made = copy.deepcopy(obj)
    for path in paths:
        names = path.split(".")
        if len(names) > DEEPEST:
            raise errors.invalid(f"You cannot expand more than {DEEPEST} levels.", "expand")
        _expand(store, made, names)
    return made


def _expand(store: Store, place: Any, names: list[str]) -> None:
    if isinstance(place, list):
        for each in place:
            _expand(store, each, names)
        return
    if not names or not isinstance(place, dict):
        return
    name, *rest = names
    included = INCLUDED.get((place.get("object", ""), name))
    if included is not None and name not in place:
        place[name] = copy.deepcopy(included(store, place))
    elif name not in place:
        raise errors.invalid(f"This property cannot be expanded ({name}).", "expand")
    if isinstance(place[name], str):
        found = store.named(place[name])
        if found is None:
            raise errors.invalid(f"This property cannot be expanded ({name}).", "expand")
        place[name] = copy.deepcopy(found)
    _expand(store, place[name], rest)
