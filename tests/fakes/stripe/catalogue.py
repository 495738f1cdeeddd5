"""Customers, their cards, products and prices."""

from __future__ import annotations

from typing import Any

from . import payments, shapes, subscriptions
from .errors import invalid
from .forms import Params, flag, merge, need, whole
from .store import Obj, Store

PERSON = ("email", "name", "description", "phone")


def create_customer(store: Store, params: Params) -> Obj:
    fields: dict[str, Any] = {name: params.get(name) or None for name in PERSON}
    made = store.add(shapes.customer(store, **fields, metadata=merge({}, params.get("metadata"))))
    store.emit("customer.created", made)
    if params.get("payment_method"):
        attach(store, params["payment_method"], made)
    named = params.get("invoice_settings", {}).get("default_payment_method")
    if named:
        made["invoice_settings"]["default_payment_method"] = store.get("pm", named)["id"]
    return made


def update_customer(store: Store, customer: Obj, params: Params) -> Obj:
    changed: Obj = {name: params[name] or None for name in PERSON if name in params}
    if "metadata" in params:
        changed["metadata"] = merge(customer["metadata"], params["metadata"])
    if "default_payment_method" in params.get("invoice_settings", {}):
        named = params["invoice_settings"]["default_payment_method"] or None
        if named and store.get("pm", named)["customer"] != customer["id"]:
            raise invalid("The customer does not have a payment method with that ID.", "invoice_settings")
        changed["invoice_settings"] = {**customer["invoice_settings"], "default_payment_method": named}
    return store.change(customer, "customer.updated", **changed)


def delete_customer(store: Store, customer: Obj) -> Obj:
    """Delete a customer: the subscriptions end, and only a stub is left to be retrieved."""
    for sub in store.all("sub", customer=customer["id"]):
        if sub["status"] not in subscriptions.OVER:
            subscriptions.cancel(store, sub)
    store.emit("customer.deleted", customer)
    stub = {"id": customer["id"], "object": "customer", "deleted": True}
    store.deleted.add(customer["id"])
    return stub


def attach(store: Store, told: str, customer: Obj) -> Obj:
    """Save a card for a customer. Those that fail at once cannot be saved."""
    if told not in payments.CARDS:
        method = store.get("pm", told, "payment_method")
        if method["customer"] not in (None, customer["id"]):
            raise invalid("The payment method you provided has already been attached to a customer.")
        return store.change(method, "payment_method.attached", customer=customer["id"])
    if payments.CARDS[told][0] in payments.REFUSED_AT_ONCE:
        raise payments.declined(payments.CARDS[told][1], None)
    return payments.new_card(store, told, customer["id"])


def detach(store: Store, method: Obj) -> Obj:
    customer = store.find("cus", method["customer"] or "")
    if customer is None:
        raise invalid("The payment method you provided is not attached to a customer so detachment is impossible.")
    before = {"customer": method["customer"]}
    method["customer"] = None
    settings = customer["invoice_settings"]
    if settings["default_payment_method"] == method["id"]:
        store.change(customer, "customer.updated", invoice_settings={**settings, "default_payment_method": None})
    store.emit("payment_method.detached", method, before)
    return method


def create_product(store: Store, params: Params) -> Obj:
    fields = {"name": need(params, "name"), "description": params.get("description") or None}
    made = store.add(shapes.product(store, **fields, metadata=merge({}, params.get("metadata"))))
    if params.get("id"):
        del store.tables["prod"][made["id"]]
        if store.find("prod", params["id"]) is not None:
            raise invalid(f"Product already exists: {params['id']}", "id", "resource_already_exists")
        made["id"] = params["id"]
        store.tables["prod"][made["id"]] = made
    store.emit("product.created", made)
    return made


def update_product(store: Store, product: Obj, params: Params) -> Obj:
    changed: Obj = {name: params[name] or None for name in ("name", "description") if name in params}
    if "active" in params:
        changed["active"] = flag(params, "active")
    changed["metadata"] = merge(product["metadata"], params.get("metadata"))
    return store.change(product, "product.updated", **changed)


def create_price(store: Store, params: Params) -> Obj:
    amount = whole(params, "unit_amount")
    if amount is None:
        raise invalid("Missing required param: unit_amount.", "unit_amount", "parameter_missing")
    product = params.get("product")
    if product:
        store.get("prod", product, "product")
    else:
        product = create_product(store, need(params, "product_data"))["id"]
    recurring = params.get("recurring")
    if recurring:
        count = whole(recurring, "interval_count", 1)
        recurring = {**shapes.NO_RECURRING, "interval": need(recurring, "interval"), "interval_count": count}
        recurring["trial_period_days"] = None
    fields = {"product": product, "currency": need(params, "currency"), "unit_amount": amount}
    fields |= {"recurring": recurring or None, "nickname": params.get("nickname") or None}
    key = params.get("lookup_key") or None
    _free_key(store, key, take=flag(params, "transfer_lookup_key"))
    made = store.add(shapes.price(store, **fields, lookup_key=key, metadata=merge({}, params.get("metadata"))))
    store.emit("price.created", made)
    return made


def _free_key(store: Store, key: str | None, *, take: bool) -> None:
    holders = [each for each in store.all("price") if key is not None and each["lookup_key"] == key]
    if holders and not take:
        text = f"A price (`{holders[0]['id']}`) already uses that lookup key."
        raise invalid(text, "lookup_key", "resource_already_exists")
    for holder in holders:
        store.change(holder, "price.updated", lookup_key=None)


def update_price(store: Store, price: Obj, params: Params) -> Obj:
    changed: Obj = {"metadata": merge(price["metadata"], params.get("metadata"))}
    if "nickname" in params:
        changed["nickname"] = params["nickname"] or None
    if "active" in params:
        changed["active"] = flag(params, "active")
    if "lookup_key" in params:
        _free_key(store, params["lookup_key"] or None, take=flag(params, "transfer_lookup_key"))
        changed["lookup_key"] = params["lookup_key"] or None
    return store.change(price, "price.updated", **changed)


def list_prices(store: Store, params: Params) -> Obj:
    rows = store.all("price")
    if "active" in params:
        rows = [each for each in rows if each["active"] == flag(params, "active")]
    for name in ("product", "type", "currency"):
        if params.get(name):
            rows = [each for each in rows if each[name] == params[name]]
    if params.get("lookup_keys"):
        rows = [each for each in rows if each["lookup_key"] in params["lookup_keys"]]
    return store.page("price", rows, params)
