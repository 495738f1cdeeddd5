"""Events, checked. What comes in as one is another's word: it is taken for one only if it can be kept and followed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from billing import refusals
from billing.providers.stripe_objects import Event, Raw, moment, storable, text

ID, TYPE = re.compile(r"[!-~]{1,255}"), re.compile(r"[!-~]{1,100}")
# Far deeper than any object of the provider's.
MOST_DEEP = 50
LAST_SECOND = 253_402_300_799
# Of these the id is what is looked up.
LOOKED_UP = {"payment_intent", "subscription", "customer"}
REFERENCES = (*LOOKED_UP, "released_subscription")


def read_event(raw: Raw) -> Event:
    """Read an event, however it came. Raises NoEvent where it is none."""
    _check(raw, 0)
    about = raw["data"].get("object") if isinstance(raw.get("data"), dict) else None
    if not isinstance(about, dict):
        raise refusals.NoEvent("It is about no object.")
    _check_references(about)
    created, livemode = raw.get("created"), raw.get("livemode")
    # True is a whole number too.
    if type(created) is not int or not 0 <= created <= LAST_SECOND:
        raise refusals.NoEvent("It does not say when it happened.")
    if not isinstance(livemode, bool):
        raise refusals.NoEvent("It does not say of which mode it is.")
    return Event(
        id=_matching(ID, raw.get("id"), "id"),
        type=_matching(TYPE, raw.get("type"), "type"),
        object_id=text(about.get("id")),
        object_type=text(about.get("object")),
        created=moment(created),
        livemode=livemode,
        payload=storable(dict(raw)),
    )


def _check(told: Any, depth: int) -> None:
    """Refuse what is deeper than anything is, and numbers that JSON has not."""
    if depth > MOST_DEEP:
        raise refusals.NoEvent("It is too deep.")
    if isinstance(told, float) and not math.isfinite(told):
        raise refusals.NoEvent("A number is none.")
    for each in told.values() if isinstance(told, Mapping) else told if isinstance(told, list) else ():
        _check(each, depth + 1)


def _check_references(about: dict[str, Any]) -> None:
    """Refuse an object that does not tell by ids what it is and what it belongs to. Not all have one of their own."""
    if about.get("object") is not None:
        _matching(TYPE, about["object"], "kind of object")
    if about.get("id") is not None or about.get("object") in LOOKED_UP:
        _matching(ID, about.get("id"), "object's id")
    details = _part(_part(about, "parent"), "subscription_details")
    for whole, name in (*((about, each) for each in REFERENCES), (details, "subscription")):
        named = whole.get(name)
        if named is not None and named != "":
            _matching(ID, named.get("id") if isinstance(named, dict) else named, name)


def _part(whole: dict[str, Any], name: str) -> dict[str, Any]:
    found = whole.get(name) or {}
    if not isinstance(found, dict):
        raise refusals.NoEvent(f"Its {name} is no object.")
    return found


def _matching(pattern: re.Pattern[str], told: Any, name: str) -> str:
    if not isinstance(told, str) or not pattern.fullmatch(told):
        raise refusals.NoEvent(f"Its {name} is none.")
    return told
