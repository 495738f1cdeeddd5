"""Invoices of subscriptions: made, finalised, paid or not; prorations; and the preview of the next."""

from __future__ import annotations

from typing import Any

from . import payments, shapes
from .errors import ApiError, invalid
from .store import DAY, Obj, Store

# After how many days a failed payment is tried again.
RETRY_DAYS = (3, 5, 7)


def make(store: Store, sub: Obj, lines: list[Obj], reason: str, period: tuple[int, int] | None = None) -> Obj:
    """Make an invoice and finalise it. What is owed to the customer is taken off first."""
    customer = store.get("cus", sub["customer"])
    start, end = period or (store.now(), store.now())
    fields = {"billing_reason": reason, "period_start": start, "period_end": end}
    inv = store.add(shapes.invoice(store, sub, customer, lines, **fields))
    store.emit("invoice.created", inv)
    sub["latest_invoice"] = inv["id"]
    return inv


def finalise(store: Store, inv: Obj) -> None:
    customer = store.get("cus", inv["customer"])
    number = f"F-{store.counts.get('in', 0):06d}"
    stamps = {**inv["status_transitions"], "finalized_at": store.now()}
    url = f"{store.url}/i/{inv['id']}"
    inv |= {"status": "open", "number": number, "status_transitions": stamps, "effective_at": store.now()}
    inv |= {"hosted_invoice_url": url, "invoice_pdf": f"{url}/pdf"}
    store.emit("invoice.finalized", inv)
    store.change(customer, "customer.updated", balance=inv["ending_balance"], currency=inv["currency"])


def settle(store: Store, inv: Obj, *, present: bool = False, decline: str = "") -> ApiError | None:
    """Finalise an invoice and collect it. Returns the error where the card says no."""
    finalise(store, inv)
    if inv["amount_due"] == 0:
        _paid(store, inv)
        return None
    return pay(store, inv, present=present, decline=decline)


def method_for(store: Store, inv: Obj, sub: Obj) -> Obj | None:
    customer = store.get("cus", inv["customer"])
    named = inv["default_payment_method"] or sub["default_payment_method"]
    named = named or customer["invoice_settings"]["default_payment_method"]
    return store.find("pm", named) if named else None


def pay(
    store: Store, inv: Obj, *, method: Obj | None = None, present: bool = False, decline: str = ""
) -> ApiError | None:
    """Try to collect an open invoice."""
    sub = subscription_of(store, inv)
    if inv["status"] not in ("open", "uncollectible"):
        raise invalid(f"Invoice is already {inv['status']}", "invoice", "invoice_not_editable")
    part = next(iter(store.all("inpay", invoice=inv["id"], is_default=True)), None)
    if part is None:
        intent = payments.new_intent(
            store, amount=inv["amount_due"], currency=inv["currency"], customer=inv["customer"],
            setup_future_usage="off_session", description="Subscription",
        )  # fmt: skip
        part = store.add(shapes.invoice_payment(store, inv, intent))
    intent = store.get("pi", part["payment"]["payment_intent"])
    card = method or method_for(store, inv, sub)
    if card is None:
        text = "This customer has no attached payment source or default payment method."
        error: ApiError | None = ApiError(text, code="resource_missing", kept=True)
    else:
        error = payments.attempt(store, intent, card, present=present, decline=decline)
    inv |= {"attempted": True, "attempt_count": inv["attempt_count"] + 1}
    if error is not None:
        _unpaid(store, inv, error)
        return error
    stamps = {**part["status_transitions"], "paid_at": store.now()}
    part |= {"status": "paid", "amount_paid": inv["amount_due"], "status_transitions": stamps}
    store.emit("invoice_payment.paid", part)
    _paid(store, inv)
    return None


def _paid(store: Store, inv: Obj) -> None:
    stamps = {**inv["status_transitions"], "paid_at": store.now()}
    inv |= {"status": "paid", "amount_paid": inv["amount_due"], "amount_remaining": 0, "auto_advance": False}
    inv |= {"status_transitions": stamps, "next_payment_attempt": None, "attempted": True}
    store.emit("invoice.paid", inv)
    store.emit("invoice.payment_succeeded", inv)


def _unpaid(store: Store, inv: Obj, error: ApiError) -> None:
    tries = inv["attempt_count"]
    again = store.now() + RETRY_DAYS[tries - 1] * DAY if tries <= len(RETRY_DAYS) else None
    inv["next_payment_attempt"] = None if inv["billing_reason"] == "subscription_create" else again
    store.emit("invoice.payment_failed", inv)
    if error.code == "authentication_required":
        store.emit("invoice.payment_action_required", inv)


def void(store: Store, inv: Obj) -> Obj:
    stamps = {**inv["status_transitions"], "voided_at": store.now()}
    inv |= {"status": "void", "amount_remaining": 0, "next_payment_attempt": None, "status_transitions": stamps}
    store.emit("invoice.voided", inv)
    return inv


def uncollectible(store: Store, inv: Obj) -> Obj:
    stamps = {**inv["status_transitions"], "marked_uncollectible_at": store.now()}
    inv |= {"status": "uncollectible", "next_payment_attempt": None, "status_transitions": stamps}
    store.emit("invoice.marked_uncollectible", inv)
    return inv


def subscription_of(store: Store, inv: Obj) -> Obj:
    return store.get("sub", inv["parent"]["subscription_details"]["subscription"])


def payments_of(store: Store, inv: Obj) -> list[Obj]:
    return store.all("inpay", invoice=inv["id"])


def price_lines(store: Store, sub: Obj) -> list[Obj]:
    """Return a line for each item's current period."""
    made = []
    for item in sub["items"]["data"]:
        amount = item["price"]["unit_amount"] * item["quantity"]
        start, end = item["current_period_start"], item["current_period_end"]
        text = f"{item['quantity']} × {item['price']['nickname'] or item['price']['id']}"
        made.append(shapes.line(store, sub, item, amount=amount, start=start, end=end, text=text, proration=False))
    return made


def trial_lines(store: Store, sub: Obj) -> list[Obj]:
    lines = price_lines(store, sub)
    for line in lines:
        line |= {"amount": 0, "subtotal": 0, "description": f"Trial period for {line['description']}"}
    return lines


def proration_lines(store: Store, sub: Obj, old: Obj, new: Obj, at: int) -> list[Obj]:
    """Return what the unused rest of the old item gives back and the same time of the new one costs."""
    start, end = old["current_period_start"], old["current_period_end"]
    made = []
    for item, sign, word in ((old, -1, "Unused time on"), (new, 1, "Remaining time on")):
        whole = item["price"]["unit_amount"] * item["quantity"]
        amount = sign * round(whole * (end - at) / (end - start))
        text = f"{word} {item['price']['nickname'] or item['price']['id']}"
        made.append(shapes.line(store, sub, item, amount=amount, start=at, end=end, text=text, proration=True))
    return made


def preview(store: Store, sub: Obj, lines: list[Obj], **fields: Any) -> Obj:
    """Return the invoice that would come, without making it."""
    customer = store.get("cus", sub["customer"])
    kept = dict(store.counts)
    made = shapes.invoice(store, sub, customer, lines, billing_reason="upcoming", **fields)
    store.counts = kept
    made["id"] = f"upcoming_{made['id']}"
    return made
