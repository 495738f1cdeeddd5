"""Checkout sessions: what a customer is sent to, and what paying there sets off."""

from __future__ import annotations

from typing import Any

from . import payments, shapes, subscriptions
from .errors import ApiError, invalid
from .forms import Params, flag, merge, need, whole
from .store import Obj, Store, listed

MODES = ("payment", "subscription", "setup")
SECTIONS = {"payment": "payment_intent_data", "subscription": "subscription_data", "setup": "setup_intent_data"}


def open_session(store: Store, params: Params) -> Obj:
    mode = need(params, "mode")
    if mode not in MODES:
        raise invalid(f"Invalid mode: must be one of {', '.join(MODES)}", "mode")
    for other, section in SECTIONS.items():
        if section in params and other != mode:
            raise invalid(f"You can not pass `{section}` in `{mode}` mode.", section)
    need(params, "success_url")
    customer = store.get("cus", params["customer"], "customer") if params.get("customer") else None
    if customer is not None and params.get("customer_email"):
        raise invalid("You may only specify one of these parameters: customer, customer_email.", "customer_email")
    items = [_line(store, each, mode) for each in params.get("line_items", [])]
    if not items and mode != "setup":
        raise invalid("You must provide `line_items`.", "line_items", "parameter_missing")
    fields: Obj = {name: params.get(name) or None for name in ("cancel_url", "client_reference_id", "customer_email")}
    fields |= {"customer": customer and customer["id"], "metadata": merge({}, params.get("metadata"))}
    fields |= {"mode": mode, "success_url": params["success_url"]}
    if items:
        total = sum(each["amount_total"] for each in items)
        trial = whole(params.get("subscription_data", {}), "trial_period_days")
        fields |= {"amount_subtotal": total, "amount_total": 0 if trial else total, "currency": items[0]["currency"]}
    if mode == "payment" and customer is None:
        fields["customer_creation"] = params.get("customer_creation", "if_required")
    session = shapes.session(store, **fields)
    session["expires_at"] = whole(params, "expires_at", session["expires_at"])
    store.drafts[session["id"]] = {"items": items, "data": params.get(SECTIONS[mode], {})}
    return store.add(session)


def _line(store: Store, told: Params, mode: str) -> Obj:
    if "price_data" in told:
        price = _price(store, told["price_data"])
    else:
        price = store.get("price", need(told, "price"), "line_items[0][price]")
    number = int(told.get("quantity", 1))
    if not price["active"]:
        raise invalid("The price specified is inactive. This field only accepts active prices.", "line_items[0][price]")
    if (price["type"] == "recurring") != (mode == "subscription"):
        raise invalid(f"You specified `{mode}` mode but passed a {price['type']} price.", "mode")
    amount = price["unit_amount"] * number
    made = {"id": store.new_id("li"), "object": "item", "amount_discount": 0, "amount_subtotal": amount}
    made |= {"amount_tax": 0, "amount_total": amount, "currency": price["currency"], "price": price}
    return made | {"description": price["nickname"] or price["id"], "quantity": number, "metadata": {}}


def _price(store: Store, told: Params) -> Obj:
    """Make the price that ``price_data`` describes; it is inactive for others, as Stripe's are."""
    product = told.get("product")
    if not product:
        name = need(told.get("product_data", {}), "name")
        product = store.add(shapes.product(store, name=name, active=False))["id"]
    amount = whole(told, "unit_amount") or 0
    return store.add(shapes.price(store, product=product, currency=need(told, "currency"), unit_amount=amount))


def line_items(store: Store, session: Obj) -> Obj:
    url = f"/v1/checkout/sessions/{session['id']}/line_items"
    return listed(store.drafts.get(session["id"], {}).get("items", []), url)


def _must_be_open(session: Obj) -> None:
    if session["status"] != "open":
        raise invalid(f"This Checkout Session is {session['status']}.", "session")


def expire(store: Store, session: Obj) -> Obj:
    _must_be_open(session)
    session |= {"status": "expired", "url": None}
    store.emit("checkout.session.expired", session)
    return session


def decline(store: Store, session: Obj, card: str = "pm_card_chargeDeclined") -> ApiError:
    """The customer tries a card that says no. The session stays open."""
    _must_be_open(session)
    if session["mode"] == "payment":
        intent = _intent(store, session)
        error = payments.attempt(store, intent, payments.new_card(store, card, None))
        assert error is not None
        return error
    return payments.declined(payments.CARDS[card][1], None)


def pay(store: Store, session: Obj, card: str = "pm_card_visa", *, later: bool = False) -> Obj:
    """The customer pays. ``later``: by a method that tells only some days after whether it worked."""
    _must_be_open(session)
    _customer(store, session)
    if session["mode"] == "payment":
        _pay_once(store, session, card, later=later)
    elif session["mode"] == "subscription":
        _subscribe(store, session, card)
    else:
        _save_card(store, session, card)
    session |= {"status": "complete", "url": None}
    session["customer_details"] = {**shapes.NO_DETAILS, "email": session["customer_email"]}
    store.emit("checkout.session.completed", session)
    return session


def _customer(store: Store, session: Obj) -> None:
    wanted = session["customer_creation"] == "always" or session["mode"] == "subscription"
    if session["customer"] is None and wanted:
        made = store.add(shapes.customer(store, email=session["customer_email"]))
        store.emit("customer.created", made)
        session["customer"] = made["id"]


def _intent(store: Store, session: Obj) -> Obj:
    """Return the session's payment intent, which there is only once somebody tries to pay."""
    if session["payment_intent"]:
        return store.get("pi", session["payment_intent"])
    data = store.drafts[session["id"]]["data"]
    fields: dict[str, Any] = {"metadata": merge({}, data.get("metadata")), "description": data.get("description")}
    fields |= {"setup_future_usage": data.get("setup_future_usage"), "customer": session["customer"]}
    intent = payments.new_intent(store, amount=session["amount_total"], currency=session["currency"], **fields)
    session["payment_intent"] = intent["id"]
    return intent


def _pay_once(store: Store, session: Obj, card: str, *, later: bool) -> None:
    intent = _intent(store, session)
    keep = bool(intent["setup_future_usage"]) and session["customer"] is not None
    method = payments.new_card(store, card, session["customer"] if keep else None)
    if later:
        intent |= {"status": "processing", "payment_method": method["id"]}
        store.emit("payment_intent.processing", intent)
        return
    error = payments.attempt(store, intent, method, present=True)
    if error is not None:
        raise error
    session["payment_status"] = "paid"


def settle(store: Store, session: Obj, *, paid: bool) -> Obj:
    """A payment that took its time is through, or is not."""
    intent = store.get("pi", session["payment_intent"])
    method = store.get("pm", intent["payment_method"])
    error = payments.attempt(store, intent, method, present=True, decline="" if paid else "generic_decline")
    if error is None:
        session["payment_status"] = "paid"
    kind = "succeeded" if error is None else "failed"
    store.emit(f"checkout.session.async_payment_{kind}", session)
    return session


def _subscribe(store: Store, session: Obj, card: str) -> None:
    draft = store.drafts[session["id"]]
    method = payments.new_card(store, card, session["customer"])
    if method["card"]["last4"] in payments.REFUSED_AT_ONCE:
        raise payments.declined(payments.CARDS[card][1], None)
    items = [{"price": each["price"]["id"], "quantity": each["quantity"]} for each in draft["items"]]
    told = {**draft["data"], "customer": session["customer"], "items": items, "default_payment_method": method["id"]}
    sub = subscriptions.begin(store, told, present=True)
    inv = store.get("in", sub["latest_invoice"])
    session |= {"subscription": sub["id"], "invoice": inv["id"]}
    session["payment_status"] = "paid" if inv["amount_due"] else "no_payment_required"


def _save_card(store: Store, session: Obj, card: str) -> None:
    if payments.CARDS[card][0] in payments.REFUSED_AT_ONCE:
        raise payments.declined(payments.CARDS[card][1], None)
    method = payments.new_card(store, card, session["customer"])
    data = store.drafts[session["id"]]["data"]
    fields = {"customer": session["customer"], "metadata": merge({}, data.get("metadata"))}
    intent = store.add(shapes.setup_intent(store, **fields, payment_method=method["id"], status="succeeded"))
    store.emit("setup_intent.created", intent)
    store.emit("setup_intent.succeeded", intent)
    session |= {"setup_intent": intent["id"], "payment_status": "no_payment_required"}


def overdue(store: Store) -> list[tuple[int, Obj]]:
    """Return the sessions that time will expire, and when."""
    return [(each["expires_at"], each) for each in store.all("cs", status="open")]


def portal(store: Store, params: Params) -> Obj:
    customer = store.get("cus", need(params, "customer"), "customer")
    return store.add(shapes.portal_session(store, customer, params.get("return_url")))


def confirmed_off_session(store: Store, params: Params) -> Obj:
    """Make a payment intent, and confirm it where that is asked for. Raises ApiError where the card says no."""
    amount = whole(params, "amount")
    if amount is None:
        raise invalid("Missing required param: amount.", "amount", "parameter_missing")
    customer = store.get("cus", params["customer"], "customer")["id"] if params.get("customer") else None
    told = params.get("payment_method")
    method = payments.method_of(store, told, customer) if told else None
    confirm, off_session = flag(params, "confirm"), flag(params, "off_session")
    if off_session and not confirm:
        raise invalid("The off_session parameter can only be used when confirm is true.", "off_session")
    if confirm and method is None:
        text = "You cannot confirm this PaymentIntent because it's missing a payment method."
        raise invalid(text, "payment_method", "payment_intent_unexpected_state")
    fields = {name: params.get(name) or None for name in ("description", "setup_future_usage", "receipt_email")}
    metadata = merge({}, params.get("metadata"))
    intent = payments.new_intent(
        store, amount=amount, currency=need(params, "currency"), customer=customer, metadata=metadata, **fields
    )
    if method is not None:
        intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
    if confirm and method is not None:
        error = payments.attempt(store, intent, method, present=not off_session)
        if error is not None:
            raise error
    return intent
