"""Which address does what, and which parameters it knows. An unknown one is refused, as Stripe does."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import catalogue, checkout, invoices, payments, schedules, subscriptions
from .errors import invalid, required
from .forms import Params, merge, need, whole
from .store import Obj, Store

Does = Callable[[Store, Params, str], Obj]
PAGING = "limit starting_after ending_before created"


@dataclass(frozen=True)
class Route:
    method: str
    pattern: re.Pattern[str]
    does: Does
    knows: frozenset[str]


ROUTES: list[Route] = []


def route(method: str, path: str, does: Does, knows: str = "") -> None:
    pattern = re.compile("^/v1/" + path.replace("{id}", r"(?P<id>[^/]+)") + "$")
    ROUTES.append(Route(method, pattern, does, frozenset(knows.split()) | {"expand"}))


def find(method: str, path: str) -> tuple[Route, str] | None:
    for each in ROUTES:
        match = each.pattern.match(path)
        if match and each.method == method:
            return each, match.groupdict().get("id", "")
    return None


def retrieve(prefix: str) -> Does:
    return lambda store, _, identity: store.get(prefix, identity)


def listing(prefix: str, *filters: str) -> Does:
    def page(store: Store, params: Params, _: str) -> Obj:
        equal = {name: params[name] for name in filters if params.get(name)}
        return store.page(prefix, store.all(prefix, **equal), params)

    return page


def on(prefix: str, does: Callable[[Store, Obj, Params], Obj]) -> Does:
    """Let a verb work on the object that the address names."""
    return lambda store, params, identity: does(store, store.get(prefix, identity), params)


def relabel(prefix: str, kind: str) -> Does:
    """An update of nothing but metadata and description."""

    def label(store: Store, obj: Obj, params: Params) -> Obj:
        changed: dict[str, Any] = {"metadata": merge(obj["metadata"], params.get("metadata"))}
        if "description" in params:
            changed["description"] = params["description"] or None
        return store.change(obj, kind, **changed)

    return on(prefix, label)


def read_customer(store: Store, _: Params, identity: str) -> Obj:
    found = store.get("cus", identity)
    return {"id": identity, "object": "customer", "deleted": True} if identity in store.deleted else found


def list_customers(store: Store, params: Params, _: str) -> Obj:
    equal = {"email": params["email"]} if params.get("email") else {}
    rows = [each for each in store.all("cus", **equal) if each["id"] not in store.deleted]
    return store.page("cus", rows, params)


def list_subscriptions(store: Store, params: Params, _: str) -> Obj:
    status = params.get("status")
    rows = store.all("sub", **({"customer": params["customer"]} if params.get("customer") else {}))
    if status != "all":
        rows = [each for each in rows if each["status"] == status or (status is None and each["status"] != "canceled")]
    if params.get("price"):
        rows = [each for each in rows if subscriptions.item_of(each)["price"]["id"] == params["price"]]
    return store.page("sub", rows, params)


def list_invoices(store: Store, params: Params, _: str) -> Obj:
    rows = store.all("in", **{name: params[name] for name in ("customer", "status") if params.get(name)})
    if params.get("subscription"):
        sub = store.get("sub", params["subscription"], "subscription")
        rows = [each for each in rows if invoices.subscription_of(store, each) is sub]
    return store.page("in", rows, params)


def list_events(store: Store, params: Params, _: str) -> Obj:
    """Stripe keeps events for 30 days. ``types`` holds whole names; ``type`` may end with a star."""
    oldest = store.now() - 30 * 86_400
    wanted = [*params.get("types", []), *([params["type"]] if params.get("type") else [])]
    rows = [each for each in store.all("evt") if each["created"] >= oldest]
    if wanted:
        rows = [
            each
            for each in rows
            if any(re.fullmatch(re.escape(name).replace(r"\*", ".*"), each["type"]) for name in wanted)
        ]
    return store.page("evt", rows, params)


def list_inpays(store: Store, params: Params, _: str) -> Obj:
    rows = store.all("inpay", **{name: params[name] for name in ("invoice", "status") if params.get(name)})
    intent = params.get("payment", {}).get("payment_intent")
    if intent:
        rows = [each for each in rows if each["payment"].get("payment_intent") == intent]
    return store.page("inpay", rows, params)


def list_methods(store: Store, params: Params, identity: str) -> Obj:
    customer = identity or need(params, "customer")
    store.get("cus", customer, "id" if identity else "customer")
    return store.page("pm", store.all("pm", customer=customer), params)


def create_refund(store: Store, params: Params, _: str) -> Obj:
    if params.get("charge"):
        charge = store.get("ch", params["charge"], "charge")
    elif params.get("payment_intent"):
        intent = store.get("pi", params["payment_intent"], "payment_intent")
        if not intent["latest_charge"]:
            raise invalid("This PaymentIntent does not have a successful charge to refund.", "payment_intent")
        charge = store.get("ch", intent["latest_charge"])
    else:
        raise invalid("One of the following params should be provided: payment_intent, charge.")
    amount, reason = whole(params, "amount"), params.get("reason") or None
    if reason not in (None, "duplicate", "fraudulent", "requested_by_customer"):
        raise invalid("Invalid reason", "reason")
    return payments.refund(store, charge, amount, reason=reason, metadata=merge({}, params.get("metadata")))


def create_preview(store: Store, params: Params, _: str) -> Obj:
    if not params.get("subscription"):
        raise required("subscription")
    sub = store.get("sub", params["subscription"], "subscription")
    details = params.get("subscription_details", {})
    at = whole(details, "proration_date", store.now()) or store.now()
    lines: list[Obj] = []
    at_once = False
    if details.get("items"):
        new, lines, at_once = subscriptions.planned(store, sub, details, at)
        sub = {**sub, "items": {"data": [new]}}
    if not at_once:
        item = subscriptions.item_of(sub)
        end = item["current_period_end"]
        later = {**item, "current_period_start": end}
        later["current_period_end"] = subscriptions.end_after(
            sub["billing_cycle_anchor"], item["price"]["recurring"], end
        )
        if not sub["cancel_at"]:
            lines = [*store.pending.get(sub["id"], []), *lines]
            lines += invoices.price_lines(store, {**sub, "items": {"data": [later]}})
    return invoices.preview(store, sub, lines)


def pay_invoice(store: Store, inv: Obj, params: Params) -> Obj:
    told = params.get("payment_method")
    method = payments.method_of(store, told, inv["customer"]) if told else None
    error = invoices.pay(store, inv, method=method)
    subscriptions.collected(store, invoices.subscription_of(store, inv), error)
    if error is not None:
        raise error
    return inv


route("POST", "customers", lambda s, p, _: catalogue.create_customer(s, p),
      "email name description phone metadata payment_method invoice_settings")  # fmt: skip
route("GET", "customers", list_customers, f"{PAGING} email")
route("GET", "customers/{id}", read_customer)
route("POST", "customers/{id}", on("cus", catalogue.update_customer),
      "email name description phone metadata invoice_settings")  # fmt: skip
route("DELETE", "customers/{id}", on("cus", lambda s, o, _: catalogue.delete_customer(s, o)))
route("GET", "customers/{id}/payment_methods", list_methods, f"{PAGING} type")
route("POST", "products", lambda s, p, _: catalogue.create_product(s, p), "id name description metadata")
route("GET", "products", listing("prod"), f"{PAGING} active")
route("GET", "products/{id}", retrieve("prod"))
route("POST", "products/{id}", on("prod", catalogue.update_product), "name description active metadata")
route("POST", "prices", lambda s, p, _: catalogue.create_price(s, p),
      "currency unit_amount product product_data recurring lookup_key transfer_lookup_key nickname"
      " metadata")  # fmt: skip
route("GET", "prices", lambda s, p, _: catalogue.list_prices(s, p),
      f"{PAGING} active product type currency lookup_keys")  # fmt: skip
route("GET", "prices/{id}", retrieve("price"))
route("POST", "prices/{id}", on("price", catalogue.update_price),
      "active nickname metadata lookup_key transfer_lookup_key")  # fmt: skip
route("POST", "checkout/sessions", lambda s, p, _: checkout.open_session(s, p),
      "mode success_url cancel_url customer customer_email customer_creation client_reference_id line_items metadata"
      " payment_intent_data subscription_data setup_intent_data expires_at currency ui_mode locale"
      " payment_method_types allow_promotion_codes")  # fmt: skip
route("GET", "checkout/sessions", listing("cs", "customer", "payment_intent", "subscription", "status"),
      f"{PAGING} customer payment_intent subscription status")  # fmt: skip
route("GET", "checkout/sessions/{id}", retrieve("cs"))
route("POST", "checkout/sessions/{id}/expire", on("cs", lambda s, o, _: checkout.expire(s, o)))
route("GET", "checkout/sessions/{id}/line_items", on("cs", lambda s, o, _: checkout.line_items(s, o)), PAGING)
route("POST", "billing_portal/sessions", lambda s, p, _: checkout.portal(s, p), "customer return_url locale")
route("POST", "payment_intents", lambda s, p, _: checkout.confirmed_off_session(s, p),
      "amount currency customer payment_method confirm off_session description metadata setup_future_usage"
      " receipt_email error_on_requires_action payment_method_types")  # fmt: skip
route("GET", "payment_intents", listing("pi", "customer"), f"{PAGING} customer")
route("GET", "payment_intents/{id}", retrieve("pi"), "client_secret")
route("GET", "setup_intents/{id}", retrieve("seti"))
route("GET", "payment_methods", list_methods, f"{PAGING} customer type")
route("GET", "payment_methods/{id}", retrieve("pm"))
route("POST", "payment_methods/{id}/attach",
      lambda s, p, i: catalogue.attach(s, i, s.get("cus", need(p, "customer"), "customer")), "customer")  # fmt: skip
route("POST", "payment_methods/{id}/detach", on("pm", lambda s, o, _: catalogue.detach(s, o)))
route("POST", "subscriptions", lambda s, p, _: subscriptions.begin(s, p),
      "customer items trial_period_days trial_end default_payment_method metadata payment_behavior off_session"
      " trial_settings")  # fmt: skip
route("GET", "subscriptions", list_subscriptions, f"{PAGING} customer status price")
route("GET", "subscriptions/{id}", retrieve("sub"))
route("POST", "subscriptions/{id}", on("sub", subscriptions.update),
      "items proration_behavior proration_date payment_behavior metadata default_payment_method trial_end"
      " cancel_at_period_end cancel_at pause_collection billing_cycle_anchor off_session")  # fmt: skip
route("DELETE", "subscriptions/{id}", on("sub", lambda s, o, _: subscriptions.cancel(s, o)),
      "invoice_now prorate cancellation_details")  # fmt: skip
route("POST", "subscriptions/{id}/resume", on("sub", lambda s, o, _: subscriptions.resume(s, o)),
      "billing_cycle_anchor proration_behavior")  # fmt: skip
route("POST", "subscription_schedules", lambda s, p, _: schedules.create(s, p), "from_subscription")
route("GET", "subscription_schedules/{id}", retrieve("sub_sched"))
route("POST", "subscription_schedules/{id}", on("sub_sched", schedules.update),
      "phases end_behavior proration_behavior metadata")  # fmt: skip
route("POST", "subscription_schedules/{id}/release", on("sub_sched", lambda s, o, _: schedules.release(s, o)))
route("GET", "invoices", list_invoices, f"{PAGING} customer status subscription")
route("POST", "invoices/create_preview", create_preview, "customer subscription subscription_details preview_mode")
route("GET", "invoices/{id}", retrieve("in"))
route("POST", "invoices/{id}/pay", on("in", pay_invoice), "payment_method off_session")
route("POST", "invoices/{id}/void", on("in", lambda s, o, _: invoices.void(s, o)))
route("GET", "invoice_payments", list_inpays, f"{PAGING} invoice status payment")
route("GET", "charges", listing("ch", "customer", "payment_intent"), f"{PAGING} customer payment_intent")
route("GET", "charges/{id}", retrieve("ch"))
route("POST", "charges/{id}", relabel("ch", "charge.updated"), "metadata description")
route("POST", "refunds", create_refund, "charge payment_intent amount reason metadata")
route("GET", "refunds", listing("re", "charge", "payment_intent"), f"{PAGING} charge payment_intent")
route("GET", "refunds/{id}", retrieve("re"))
route("GET", "disputes", listing("du", "charge", "payment_intent"), f"{PAGING} charge payment_intent")
route("GET", "disputes/{id}", retrieve("du"))
route("GET", "balance_transactions", listing("txn", "source", "type"), f"{PAGING} source type currency")
route("GET", "balance_transactions/{id}", retrieve("txn"))
route("GET", "events", list_events, f"{PAGING} type types delivery_success")
route("GET", "events/{id}", retrieve("evt"))
