"""The fake dashboard: what happened, and buttons for what people, banks and time would do."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from . import html, subscriptions
from .api import Answer
from .errors import invalid
from .html import Safe, join
from .store import DAY, Obj, Store

if TYPE_CHECKING:
    from .server import FakeStripe

MOST_ROWS = 40
MONTH_DAYS = 31
HEADERS = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"}
HEADERS["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

Act = Callable[["FakeStripe", str, dict[str, str]], Any]
ACTIONS: dict[str, Act] = {
    "refund": lambda fake, identity, form: fake.refund(identity, _cents(form.get("amount", ""))),
    "dispute": lambda fake, identity, _: fake.open_dispute(identity),
    "inquiry": lambda fake, identity, _: fake.open_dispute(identity, inquiry=True),
    "escalate": lambda fake, identity, _: fake.escalate_dispute(identity),
    "win": lambda fake, identity, _: fake.close_dispute(identity, "won"),
    "lose": lambda fake, identity, _: fake.close_dispute(identity, "lost"),
    "fail_refund": lambda fake, identity, _: fake.fail_refund(identity),
    "fail": lambda fake, identity, _: fake.fail_next_renewal(identity),
    "renew": lambda fake, identity, _: fake.renew(identity),
    "cancel": lambda fake, identity, _: fake.cancel(identity),
    "day": lambda fake, _, form: fake.advance_to(int(form["until"])),
    "month": lambda fake, _, form: fake.advance_to(int(form["until"])),
    "resend": lambda fake, identity, _: fake.resend(identity),
    "twice": lambda fake, identity, _: fake.resend(identity, 2),
}


def let_clocks_go_along(fake: FakeStripe, form: dict[str, str]) -> dict[str, str]:
    """Say where to a button will put the clock forward, before it does: then no other clock is behind it.

    Nothing is locked meanwhile: whoever's clock that is may call.
    """
    action, identity = form.get("action", ""), form.get("id", "")
    if action not in ("day", "month", "renew"):
        return form
    if action == "renew":
        until = subscriptions.item_of(fake.seen(identity))["current_period_end"]
    else:
        until = fake.clock.now() + (1 if action == "day" else MONTH_DAYS) * DAY
    fake.on_move(until)
    return {**form, "until": str(until)}


def answer(fake: FakeStripe, method: str, form: dict[str, str]) -> Answer:
    if method == "POST":
        act = ACTIONS.get(form.get("action", ""))
        if act is None:
            raise invalid("There is no such button.")
        act(fake, form.get("id", ""), form)
        return Answer(303, b"", {"Location": "/dashboard"})
    fake.advance(0)
    store = fake.store
    parts = [
        Safe('<p class="note small">A stand-in for Stripe’s dashboard. Nothing here is real.</p><h1>Dashboard</h1>'),
        _clock(fake), Safe("<h2>Payments</h2>"), _payments(store), Safe("<h2>Refunds</h2>"), _refunds(store),
        Safe("<h2>Disputes</h2>"), _disputes(store), Safe("<h2>Subscriptions</h2>"), _subscriptions(store),
        Safe("<h2>Customers</h2>"), _customers(store), Safe("<h2>Events</h2>"), _events(fake),
    ]  # fmt: skip
    return Answer(200, html.page("Fake Stripe", *parts), HEADERS)


def _cents(told: str) -> int | None:
    """Return an amount of dollars in cents, or nothing for all that is left."""
    if not told.strip():
        return None
    try:
        return int(Decimal(told.strip().replace(",", ".")) * 100)
    except (InvalidOperation, ValueError, OverflowError):
        raise invalid(f"{told} is no amount.", "amount") from None


def _clock(fake: FakeStripe) -> Safe:
    now = html.day(fake.clock.now())
    return join(
        Safe('<p class="mute">Its clock says '), now, Safe(" UTC.</p>"),
        html.button("day", "Advance a day"), html.button("month", "Advance a month"),
        Safe('<p class="note small">Under “make run” Florin’s test clock goes along, also with “Renew now”.</p>'),
    )  # fmt: skip


def _latest(store: Store, prefix: str) -> list[Obj]:
    return store.all(prefix)[::-1][:MOST_ROWS]


def _who(store: Store, customer: str | None) -> str:
    found = store.find("cus", customer or "")
    return (found["email"] or found["name"] or found["id"]) if found else "guest"


def _payments(store: Store) -> Safe:
    rows = []
    for each in _latest(store, "ch"):
        left = each["amount"] - each["amount_refunded"]
        parts = []
        if each["status"] == "succeeded" and left:
            parts.append(html.button("refund", "Refund", each["id"], html.amount_field(left)))
        if each["status"] == "succeeded" and not store.all("du", charge=each["id"]):
            parts += [html.button("dispute", "Dispute", each["id"]), html.button("inquiry", "Inquiry", each["id"])]
        status = "refunded" if each["refunded"] else "disputed" if each["disputed"] else each["status"]
        amount = html.money(each["amount"], each["currency"])
        rows.append(
            [
                each["id"],
                _who(store, each["customer"]),
                amount,
                html.tag(status),
                html.day(each["created"]),
                join(*parts),
            ]
        )
    return html.table(["Charge", "Customer", "Amount", "Status", "When", ""], rows, "No payments yet.")


def _refunds(store: Store) -> Safe:
    rows = [
        [each["id"], each["charge"], html.money(each["amount"], each["currency"]), html.tag(each["status"]),
         html.button("fail_refund", "Let it fail", each["id"]) if each["status"] == "succeeded" else ""]
        for each in _latest(store, "re")
    ]  # fmt: skip
    return html.table(["Refund", "Charge", "Amount", "Status", ""], rows, "No refunds yet.")


def _disputes(store: Store) -> Safe:
    rows = []
    for each in _latest(store, "du"):
        parts = []
        if each["status"].startswith("warning_n"):
            parts.append(html.button("escalate", "Escalate", each["id"]))
        if each["status"] in ("needs_response", "under_review", "warning_needs_response"):
            parts += [html.button("win", "Win", each["id"]), html.button("lose", "Lose", each["id"])]
        amount = html.money(each["amount"], each["currency"])
        rows.append([each["id"], each["charge"], amount, html.tag(each["status"]), join(*parts)])
    return html.table(["Dispute", "Charge", "Amount", "Status", ""], rows, "No disputes yet.")


def _subscriptions(store: Store) -> Safe:
    rows = []
    for each in _latest(store, "sub"):
        item = subscriptions.item_of(each)
        parts = []
        if each["status"] not in subscriptions.OVER:
            fail = "Next renewal will fail" if each["id"] in store.failing else "Fail next renewal"
            parts = [html.button("renew", "Renew now", each["id"]), html.button("fail", fail, each["id"])]
            parts.append(html.button("cancel", "Cancel now", each["id"]))
        name = item["price"]["nickname"] or item["price"]["lookup_key"] or item["price"]["id"]
        until = html.day(item["current_period_end"])
        rows.append([each["id"], _who(store, each["customer"]), name, html.tag(each["status"]), until, join(*parts)])
    return html.table(["Subscription", "Customer", "Price", "Status", "Until", ""], rows, "No subscriptions yet.")


def _customers(store: Store) -> Safe:
    rows = [
        [each["id"], each["email"] or "–", each["name"] or "–", html.day(each["created"])]
        for each in _latest(store, "cus")
    ]
    return html.table(["Customer", "E-mail", "Name", "Since"], rows, "No customers yet.")


def _events(fake: FakeStripe) -> Safe:
    sent: dict[str, list[int]] = {}
    for delivery in fake.deliveries.sent:
        sent.setdefault(delivery.event["id"], delivery.statuses)
    rows = [
        [each["id"], each["type"], each["data"]["object"].get("id", ""), html.day(each["created"]),
         ", ".join(str(status or "unreachable") for status in sent.get(each["id"], [])[-5:]) or "–",
         join(html.button("resend", "Resend", each["id"]), html.button("twice", "Twice", each["id"]))]
        for each in _latest(fake.store, "evt")
    ]  # fmt: skip
    return html.table(["Event", "Type", "About", "When", "Answers", ""], rows, "Nothing happened yet.")
