"""Pages for people: Checkout, the customer portal, an invoice. The dashboard has a file of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from . import catalogue, checkout, dashboard, html, subscriptions
from .api import Answer
from .errors import ApiError
from .html import Safe, join
from .store import Obj, Store

if TYPE_CHECKING:
    from .server import FakeStripe

HERE = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"}
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
CARDS = {
    "pm_card_visa": "4242 … 4242: always works",
    "pm_card_chargeCustomerFail": "4000 … 0341: works now, is declined later",
    "pm_card_authenticationRequired": "4000 … 3184: asks for authentication later",
}
NOTE = Safe('<p class="note small">A stand-in for Stripe: nothing is charged, any card here is made up.</p>')


def answer(fake: FakeStripe, method: str, path: str, body: str) -> Answer:
    """Show a page, or do what its button says and go on from there."""
    form = {name: values[-1] for name, values in parse_qs(body).items()}
    head, _, identity = path.strip("/").rpartition("/")
    at_dashboard = path.rstrip("/") in ("", "/dashboard")
    places = {"c/pay": ("cs", _checkout), "p/session": ("bps", _portal), "i": ("in", _invoice)}
    try:
        if at_dashboard and method == "POST":
            form = dashboard.let_clocks_go_along(fake, form)
        with fake.lock:
            if at_dashboard:
                return dashboard.answer(fake, method, form)
            if head in places:
                prefix, show = places[head]
                for store in (fake.store, fake.live):
                    found = store.find(prefix, identity)
                    if found is not None:
                        return show(fake, store, found, method, form)
    except ApiError as error:
        return shown(
            "Not done",
            Safe('<div class="card"><h1>Not done</h1><p>'),
            str(error),
            Safe('</p><a href="/dashboard">Dashboard</a></div>'),
        )
    return shown("Not found", Safe('<div class="card"><h1>There is no such page</h1></div>'), status=404)


def shown(title: str, *parts: object, status: int = 200, narrow: bool = True) -> Answer:
    headers = {**HERE, "Content-Security-Policy": POLICY}
    return Answer(status, html.page(title, *parts, narrow=narrow), headers)


def sent_to(url: str) -> Answer:
    return Answer(303, b"", {"Location": url})


def _checkout(fake: FakeStripe, store: Store, session: Obj, method: str, form: dict[str, str]) -> Answer:
    problem = ""
    if method == "POST" and session["status"] == "open":
        if form.get("action") == "cancel":
            return sent_to(session["cancel_url"] or session["success_url"])
        try:
            if form.get("action") == "decline":
                problem = str(checkout.decline(store, session))
            else:
                checkout.pay(store, session, form.get("card", "pm_card_visa"))
        except ApiError as error:
            problem = str(error)
    if session["status"] == "complete":
        return sent_to(session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"]))
    if session["status"] != "open":
        return shown("Checkout", Safe('<div class="card"><h1>This Checkout session has expired</h1></div>'))
    return shown("Checkout", NOTE, _summary(store, session, problem))


def _summary(store: Store, session: Obj, problem: str) -> Safe:
    items = store.drafts[session["id"]]["items"]
    recurring = items[0]["price"]["recurring"] if items else None
    words = {"payment": "Pay", "subscription": "Subscribe", "setup": "Save card"}
    total = html.money(session["amount_total"], session["currency"]) if items else "Save a card"
    every = f" / {recurring['interval']}" if recurring else ""
    names = [store.get("prod", each["price"]["product"])["name"] for each in items]
    listed = ", ".join(f"{name} × {each['quantity']}" for name, each in zip(names, items, strict=True))
    trouble = join(Safe('<p class="note error" role="alert">'), problem, Safe("</p>")) if problem else Safe("")
    card = html.choose("card", CARDS, "Card")
    return join(
        Safe('<div class="card"><h1>'), listed or "Save a card", Safe('</h1><div class="total">'), total,
        Safe('<span class="mute small">'), every, Safe("</span></div>"), trouble,
        html.button("pay", f"{words[session['mode']]} {total if items else ''}".strip(), "", card, main=True),
        Safe('<p style="margin-top:14px">'), html.button("decline", "Card is declined"),
        html.button("cancel", "Cancel"), Safe("</p></div>"),
    )  # fmt: skip


def _portal(fake: FakeStripe, store: Store, session: Obj, method: str, form: dict[str, str]) -> Answer:
    customer = store.get("cus", session["customer"])
    if method == "POST":
        action, identity = form.get("action"), form.get("id", "")
        if action == "cancel":
            fake.cancel_at_period_end(identity)
        elif action == "keep":
            fake.keep(identity)
        elif action == "card":
            fake.save_card(customer, form.get("card", "pm_card_visa"))
        elif action == "forget":
            catalogue.detach(store, store.get("pm", identity))
        return sent_to(f"/p/session/{session['id']}")
    subs = [_subscription_row(store, each) for each in reversed(store.all("sub", customer=customer["id"]))]
    default = customer["invoice_settings"]["default_payment_method"]
    cards = [
        [f"{each['card']['brand']} …{each['card']['last4']}", html.tag("default") if each["id"] == default else "",
         html.button("forget", "Remove", each["id"])]
        for each in store.all("pm", customer=customer["id"])
    ]  # fmt: skip
    bills = [
        [each["number"] or each["id"], html.day(each["created"]), html.money(each["amount_due"], each["currency"]),
         html.tag(each["status"]), _link(each["hosted_invoice_url"], "Show")]
        for each in reversed(store.all("in", customer=customer["id"]))
    ]  # fmt: skip
    back = _link(session["return_url"], "← Back") if session["return_url"] else Safe("")
    return shown(
        "Customer portal", NOTE, back, Safe("<h1>"), customer["email"] or customer["id"], Safe("</h1>"),
        Safe("<h2>Subscriptions</h2>"), html.table(["Plan", "Price", "Status", "Until", ""], subs, "None."),
        Safe("<h2>Cards</h2>"), html.table(["Card", "", ""], cards, "None."),
        Safe("<p>"), html.button("card", "Use this card", "", html.choose("card", CARDS, "New card")), Safe("</p>"),
        Safe("<h2>Invoices</h2>"), html.table(["Number", "Date", "Amount", "Status", ""], bills, "None."),
        narrow=False,
    )  # fmt: skip


def _subscription_row(store: Store, sub: Obj) -> list[object]:
    item = subscriptions.item_of(sub)
    name = store.get("prod", item["price"]["product"])["name"]
    act = Safe("")
    if sub["status"] not in subscriptions.OVER:
        act = (
            html.button("keep", "Keep it", sub["id"])
            if sub["cancel_at"]
            else html.button("cancel", "Cancel at period end", sub["id"])
        )
    until = f"ends {html.day(sub['cancel_at'])}" if sub["cancel_at"] else html.day(item["current_period_end"])
    price = html.money(item["price"]["unit_amount"], sub["currency"])
    return [name, f"{price} / {item['price']['recurring']['interval']}", html.tag(sub["status"]), until, act]


def _link(url: str | None, text: str) -> Safe:
    return join(Safe('<a href="'), url, Safe('">'), text, Safe("</a>")) if url else Safe("")


def _invoice(fake: FakeStripe, store: Store, inv: Obj, method: str, form: dict[str, str]) -> Answer:
    if method == "POST":
        fake.pay_invoice(inv)
        return sent_to(f"/i/{inv['id']}")
    rows = [
        [each["description"], html.day(each["period"]["start"]), html.money(each["amount"], each["currency"])]
        for each in inv["lines"]["data"]
    ]
    pay = html.button("pay", "Pay now", main=True) if inv["status"] == "open" else Safe("")
    return shown(
        f"Invoice {inv['number']}", NOTE, Safe('<div class="card"><h1>Invoice '), inv["number"], Safe("</h1><p>"),
        html.tag(inv["status"]), Safe('</p><div class="total">'), html.money(inv["amount_due"], inv["currency"]),
        Safe("</div>"), html.table(["What", "From", "Amount"], rows, "No lines."), Safe("<br>"), pay, Safe("</div>"),
    )  # fmt: skip
