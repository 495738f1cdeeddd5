"""Cards, payment intents, charges, refunds, disputes, and what they do to the balance."""

from __future__ import annotations

from typing import Any

from . import shapes
from .errors import ApiError, declined, invalid
from .store import Obj, Store

# Stripe's test payment methods: the card's last digits, and what it does when it is charged off session.
CARDS = {
    "pm_card_visa": ("4242", ""),
    "pm_card_mastercard": ("4444", ""),
    "pm_card_chargeDeclined": ("0002", "generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": ("9995", "insufficient_funds"),
    "pm_card_chargeDeclinedExpiredCard": ("0069", "expired_card"),
    "pm_card_chargeCustomerFail": ("0341", "generic_decline"),
    "pm_card_authenticationRequired": ("3184", "authentication_required"),
}
# Those that fail at once, also where the customer sits before the page.
REFUSED_AT_ONCE = {"0002", "9995", "0069"}
DISPUTE_FEE = 1500


def fee(amount: int) -> int:
    return round(amount * 0.029) + 30


def new_card(store: Store, name: str, customer: str | None) -> Obj:
    """Make a payment method of a test card, attached where a customer is named."""
    last4, behaviour = CARDS[name]
    method = store.add(shapes.payment_method(store, last4=last4, customer=customer))
    store.cards[method["id"]] = behaviour
    if customer is not None:
        store.emit("payment_method.attached", method)
    return method


def method_of(store: Store, told: str, customer: str | None) -> Obj:
    """Return the payment method that a parameter names; a test name stands for a new one."""
    if told in CARDS:
        return new_card(store, told, None)
    method = store.get("pm", told, "payment_method")
    if method["customer"] != customer:
        raise invalid("The provided PaymentMethod does not belong to the customer.", "payment_method")
    return method


def new_intent(store: Store, **fields: Any) -> Obj:
    if fields["amount"] < 50:
        raise invalid("Amount must be at least 50 cents.", "amount", "amount_too_small")
    intent = store.add(shapes.payment_intent(store, **fields))
    store.emit("payment_intent.created", intent)
    return intent


def attempt(store: Store, intent: Obj, method: Obj, *, present: bool = False, decline: str = "") -> ApiError | None:
    """Charge a card. Returns the error where it says no. ``present``: the customer can prove who they are."""
    behaviour = decline or store.cards.get(method["id"], "")
    if present and not decline and method["card"]["last4"] not in REFUSED_AT_ONCE:
        behaviour = ""
    intent["payment_method"] = method["id"]
    charge = store.add(shapes.charge(store, intent))
    card = {name: method["card"][name] for name in ("brand", "last4", "exp_month", "exp_year", "country")}
    charge["payment_method_details"] = {"type": "card", "card": card}
    intent["latest_charge"] = charge["id"]
    if behaviour:
        return _refuse(store, intent, charge, behaviour)
    outcome = {"network_status": "approved_by_network", "risk_level": "normal", "type": "authorized"}
    charge |= {"status": "succeeded", "paid": True, "amount_captured": charge["amount"], "outcome": outcome}
    money = _move(store, charge, "charge", "charge", charge["amount"], fee(charge["amount"]))
    charge["balance_transaction"] = money["id"]
    intent |= {"status": "succeeded", "amount_received": intent["amount"], "last_payment_error": None}
    store.emit("charge.succeeded", charge)
    store.emit("payment_intent.succeeded", intent)
    return None


def _refuse(store: Store, intent: Obj, charge: Obj, behaviour: str) -> ApiError:
    error = declined(behaviour, charge["id"])
    charge |= {"failure_code": error.code, "failure_message": error.error["message"]}
    charge["outcome"] = {"network_status": "declined_by_network", "reason": behaviour, "type": "issuer_declined"}
    intent |= {"status": "requires_payment_method", "last_payment_error": dict(error.error)}
    intent["payment_method"] = None
    store.emit("charge.failed", charge)
    store.emit("payment_intent.payment_failed", intent)
    error.error["payment_intent"] = dict(intent)
    return error


def refund(
    store: Store, charge: Obj, amount: int | None, *, reason: str | None = None, metadata: dict[str, str] | None = None
) -> Obj:
    """Give back all that is left of a charge, or an amount of it."""
    left = charge["amount"] - charge["amount_refunded"]
    if charge["status"] != "succeeded":
        raise invalid(f"Charge {charge['id']} has not succeeded.", "charge")
    if any(
        not each["is_charge_refundable"] for each in store.all("du", charge=charge["id"]) if each["status"] != "won"
    ):
        raise invalid(f"Charge {charge['id']} has been charged back; cannot issue a refund.", None, "charge_disputed")
    if left == 0:
        raise invalid(f"Charge {charge['id']} has already been refunded.", None, "charge_already_refunded")
    given = left if amount is None else amount
    if given < 1:
        raise invalid("Invalid positive integer", "amount", "parameter_invalid_integer")
    if given > left:
        raise invalid(f"Refund amount ({given}) is greater than unrefunded amount on charge ({left})", "amount")
    made = store.add(shapes.refund(store, charge, amount=given, reason=reason, metadata=metadata or {}))
    made["balance_transaction"] = _move(store, made, "refund", "refund", -given, 0)["id"]
    refunded = charge["amount_refunded"] + given
    before = {"amount_refunded": charge["amount_refunded"], "refunded": charge["refunded"]}
    charge |= {"amount_refunded": refunded, "refunded": refunded == charge["amount"]}
    store.emit("refund.created", made)
    store.emit("charge.refunded", charge, before)
    store.emit("refund.updated", made, {"destination_details": None})
    return made


def fail_refund(store: Store, refund: Obj) -> Obj:
    """The bank turns a refund back: the charge counts as that much less refunded."""
    charge = store.get("ch", refund["charge"])
    back = _move(store, refund, "refund_failure", "refund_failure", refund["amount"], 0)
    refund |= {"status": "failed", "failure_reason": "lost_or_stolen_card", "failure_balance_transaction": back["id"]}
    before = {"amount_refunded": charge["amount_refunded"], "refunded": charge["refunded"]}
    charge |= {"amount_refunded": charge["amount_refunded"] - refund["amount"], "refunded": False}
    store.emit("refund.failed", refund, {"status": "succeeded"})
    store.emit("charge.updated", charge, before)
    return refund


def open_dispute(store: Store, charge: Obj, amount: int | None = None, *, inquiry: bool = False) -> Obj:
    """A cardholder disputes a charge. An inquiry takes no money yet."""
    status = "warning_needs_response" if inquiry else "needs_response"
    made = shapes.dispute(store, charge, amount=charge["amount"] if amount is None else amount, status=status)
    dispute = store.add({**made, "is_charge_refundable": inquiry})
    if not inquiry:
        charge["disputed"] = True
        _funds(store, dispute, -1)
    store.emit("charge.dispute.created", dispute)
    if not inquiry:
        store.emit("charge.dispute.funds_withdrawn", dispute)
    return dispute


def escalate_dispute(store: Store, dispute: Obj) -> Obj:
    """An inquiry becomes a dispute: now the money goes."""
    store.get("ch", dispute["charge"])["disputed"] = True
    _funds(store, dispute, -1)
    store.change(dispute, "charge.dispute.updated", status="needs_response", is_charge_refundable=False)
    store.emit("charge.dispute.funds_withdrawn", dispute)
    return dispute


def submit_evidence(store: Store, dispute: Obj) -> Obj:
    return store.change(dispute, "charge.dispute.updated", status="under_review")


def close_dispute(store: Store, dispute: Obj, *, won: bool) -> Obj:
    """The bank decides. An inquiry only ends."""
    before = {"status": dispute["status"]}
    if dispute["status"].startswith("warning"):
        dispute["status"] = "warning_closed"
        store.emit("charge.dispute.closed", dispute, before)
        return dispute
    dispute["status"] = "won" if won else "lost"
    if won:
        _funds(store, dispute, 1)
        store.emit("charge.dispute.funds_reinstated", dispute)
    store.emit("charge.dispute.closed", dispute, before)
    return dispute


def _funds(store: Store, dispute: Obj, sign: int) -> None:
    category = "dispute" if sign < 0 else "dispute_reversal"
    money = _move(store, dispute, "adjustment", category, sign * dispute["amount"], -sign * DISPUTE_FEE)
    dispute["balance_transactions"].append(dict(money))


def _move(store: Store, source: Obj, kind: str, category: str, amount: int, cost: int) -> Obj:
    return store.add(
        shapes.balance_transaction(store, kind=kind, category=category, amount=amount, fee=cost, source=source)
    )
