"""Objects as API version 2026-10-28.endive prints them. Pure: every field is given or what a new object has."""

from __future__ import annotations

from typing import Any

from .store import Obj, Store, listed

BRANDS = {"4444": "mastercard", "0005": "amex"}
SELF = {"type": "self"}
NO_TAX = {"disabled_reason": None, "enabled": False, "liability": None}
NO_DETAILS = {"address": None, "email": None, "name": None, "phone": None, "tax_id": None}
NO_RECURRING = {"interval": "month", "interval_count": 1, "meter": None, "usage_type": "licensed"}


def base(store: Store, prefix: str, noun: str, **fields: Any) -> Obj:
    """What nearly every object has."""
    made: Obj = {"id": store.new_id(prefix), "object": noun, "created": store.now(), "livemode": store.live}
    return {**made, "metadata": {}, **fields}


def customer(store: Store, **fields: Any) -> Obj:
    settings = {"custom_fields": None, "default_payment_method": None, "footer": None, "rendering_options": None}
    made: Obj = {"address": None, "balance": 0, "currency": None, "customer_account": None, "default_source": None}
    made |= {"delinquent": False, "description": None, "discount": None, "email": None, "name": None, "phone": None}
    made |= {"invoice_prefix": None, "invoice_settings": settings, "next_invoice_sequence": 1, "shipping": None}
    made |= {"preferred_locales": [], "tax_exempt": "none", "test_clock": None}
    return base(store, "cus", "customer", **{**made, **fields})


def product(store: Store, **fields: Any) -> Obj:
    made: Obj = {"active": True, "default_price": None, "description": None, "images": [], "marketing_features": []}
    made |= {"package_dimensions": None, "shippable": None, "statement_descriptor": None, "tax_code": None}
    made |= {"type": "service", "unit_label": None, "updated": store.now(), "url": None}
    return base(store, "prod", "product", **{**made, **fields})


def price(store: Store, **fields: Any) -> Obj:
    made: Obj = {"active": True, "billing_scheme": "per_unit", "custom_unit_amount": None, "lookup_key": None}
    made |= {"nickname": None, "recurring": None, "tax_behavior": "unspecified", "tiers_mode": None}
    made |= {"transform_quantity": None, "type": "recurring" if fields.get("recurring") else "one_time"}
    made["unit_amount_decimal"] = str(fields["unit_amount"])
    return base(store, "price", "price", **{**made, **fields})


def plan(price: Obj) -> Obj:
    """The old name of a recurring price, which items still tell."""
    recurring = price["recurring"] or NO_RECURRING
    made: Obj = {"id": price["id"], "object": "plan", "active": price["active"], "amount": price["unit_amount"]}
    made |= {"currency": price["currency"], "interval": recurring["interval"], "livemode": price["livemode"]}
    return made | {"interval_count": recurring["interval_count"], "product": price["product"], "metadata": {}}


def payment_method(store: Store, *, last4: str, customer: str | None) -> Obj:
    card = {"brand": BRANDS.get(last4, "visa"), "last4": last4, "exp_month": 12, "exp_year": 2040, "funding": "credit"}
    card |= {"country": "US", "checks": None, "fingerprint": f"fp{last4}", "wallet": None, "generated_from": None}
    made: Obj = {"allow_redisplay": "limited", "billing_details": dict(NO_DETAILS), "card": card, "customer": customer}
    return base(store, "pm", "payment_method", **made, customer_account=None, type="card")


def payment_intent(store: Store, **fields: Any) -> Obj:
    made = base(store, "pi", "payment_intent", amount_capturable=0, amount_received=0, application=None)
    made |= {"automatic_payment_methods": None, "canceled_at": None, "cancellation_reason": None}
    made |= {"capture_method": "automatic_async", "client_secret": f"{made['id']}_secret_x", "customer": None}
    made |= {"confirmation_method": "automatic", "customer_account": None, "description": None, "latest_charge": None}
    made |= {"last_payment_error": None, "next_action": None, "on_behalf_of": None, "payment_method": None}
    made |= {"payment_method_types": ["card"], "processing": None, "receipt_email": None, "review": None}
    made |= {"setup_future_usage": None, "shipping": None, "statement_descriptor": None, "transfer_data": None}
    return {**made, "status": "requires_payment_method", "transfer_group": None, **fields}


def setup_intent(store: Store, **fields: Any) -> Obj:
    made = base(store, "seti", "setup_intent", application=None, cancellation_reason=None, customer=None)
    made |= {"client_secret": f"{made['id']}_secret_x", "description": None, "last_setup_error": None}
    made |= {
        "latest_attempt": None,
        "mandate": None,
        "next_action": None,
        "payment_method": None,
        "usage": "off_session",
    }
    return {**made, "payment_method_types": ["card"], "status": "requires_payment_method", **fields}


def charge(store: Store, intent: Obj, **fields: Any) -> Obj:
    made = base(store, "ch", "charge", amount=intent["amount"], currency=intent["currency"], amount_refunded=0)
    made |= {"amount_captured": 0, "balance_transaction": None, "billing_details": dict(NO_DETAILS), "captured": True}
    made |= {"customer": intent["customer"], "description": intent["description"], "disputed": False}
    made |= {"failure_balance_transaction": None, "failure_code": None, "failure_message": None, "outcome": None}
    made |= {"metadata": dict(intent["metadata"]), "paid": False, "payment_intent": intent["id"], "refunded": False}
    made |= {"payment_method": intent["payment_method"], "payment_method_details": None, "receipt_email": None}
    made |= {"receipt_number": None, "receipt_url": f"{store.url}/receipts/{made['id']}", "review": None}
    return {**made, "shipping": None, "statement_descriptor": None, "status": "failed", **fields}


def refund(store: Store, charge: Obj, **fields: Any) -> Obj:
    made = base(store, "re", "refund", charge=charge["id"], currency=charge["currency"], balance_transaction=None)
    # A refund does not tell its mode.
    del made["livemode"]
    made |= {"customer": charge["customer"], "destination_details": {"type": "card"}, "failure_reason": None}
    made |= {"payment_intent": charge["payment_intent"], "payment_method": charge["payment_method"], "reason": None}
    return {**made, "receipt_number": None, "status": "succeeded", **fields}


def dispute(store: Store, charge: Obj, **fields: Any) -> Obj:
    made = base(store, "du", "dispute", charge=charge["id"], currency=charge["currency"], balance_transactions=[])
    made |= {"enhanced_eligibility_types": [], "evidence": {}, "is_charge_refundable": False}
    made["evidence_details"] = {
        "due_by": store.now() + 9 * 86_400,
        "enhanced_eligibility": {},
        "has_evidence": False,
        "past_due": False,
        "submission_count": 0,
        "submission_method": "not_submitted",
    }
    made |= {"network_reason_code": "10.4", "payment_intent": charge["payment_intent"], "reason": "fraudulent"}
    return {**made, "payment_method_details": {"type": "card"}, "status": "needs_response", **fields}


def balance_transaction(store: Store, *, kind: str, category: str, amount: int, fee: int, source: Obj) -> Obj:
    made = base(store, "txn", "balance_transaction", amount=amount, available_on=store.now() + 2 * 86_400)
    # Nor does a balance transaction, and it has no metadata.
    del made["livemode"], made["metadata"]
    details = (
        [{"amount": fee, "application": None, "currency": source["currency"], "type": "stripe_fee"}] if fee else []
    )
    made |= {"balance_type": "payments", "currency": source["currency"], "description": None, "exchange_rate": None}
    made |= {"fee": fee, "fee_details": details, "net": amount - fee, "reporting_category": category}
    return {**made, "source": source["id"], "status": "pending", "type": kind}


def subscription(store: Store, **fields: Any) -> Obj:
    now = store.now()
    made = base(store, "sub", "subscription", application=None, automatic_tax=dict(NO_TAX), billing_cycle_anchor=now)
    made |= {"billing_mode": {"flexible": {"proration_discounts": "included"}, "type": "flexible", "updated_at": now}}
    made |= {"cancel_at": None, "cancel_at_period_end": False, "canceled_at": None, "ended_at": None}
    made |= {"cancellation_details": {"comment": None, "feedback": None, "reason": None}, "customer_account": None}
    made |= {"collection_method": "charge_automatically", "days_until_due": None, "default_payment_method": None}
    made |= {"default_source": None, "default_tax_rates": [], "description": None, "discounts": []}
    made |= {"invoice_settings": {"account_tax_ids": None, "issuer": SELF}, "latest_invoice": None}
    made |= {"next_pending_invoice_item_invoice": None, "on_behalf_of": None, "pause_collection": None}
    made |= {"payment_settings": None, "pending_setup_intent": None, "pending_update": None, "schedule": None}
    made |= {"start_date": now, "test_clock": None, "transfer_data": None, "trial_end": None, "trial_start": None}
    made["trial_settings"] = {"end_behavior": {"missing_payment_method": "create_invoice"}}
    return {**made, "status": "incomplete", **fields}


def schedule(store: Store, sub: Obj, phases: list[Obj]) -> Obj:
    made = base(store, "sub_sched", "subscription_schedule", application=None, canceled_at=None, completed_at=None)
    first = phases[0]
    made |= {"current_phase": {"start_date": first["start_date"], "end_date": first["end_date"]}}
    made |= {"customer": sub["customer"], "customer_account": None, "default_settings": {}, "end_behavior": "release"}
    made |= {"phases": phases, "released_at": None, "released_subscription": None, "status": "active"}
    return {**made, "subscription": sub["id"], "test_clock": None}


def subscription_item(store: Store, sub: Obj, price: Obj, *, start: int, end: int, quantity: int = 1) -> Obj:
    made = base(store, "si", "subscription_item", billing_thresholds=None, current_period_end=end, discounts=[])
    del made["livemode"]
    made |= {"current_period_start": start, "plan": plan(price), "price": price, "quantity": quantity}
    return {**made, "subscription": sub["id"], "tax_rates": []}


def line(store: Store, sub: Obj, item: Obj, *, amount: int, start: int, end: int, text: str, proration: bool) -> Obj:
    details = {"invoice_item": None, "proration": proration, "proration_details": {"credited_items": None}}
    details |= {"subscription": sub["id"], "subscription_item": item["id"]}
    price = {"price": item["price"]["id"], "product": item["price"]["product"]}
    made: Obj = {"id": store.new_id("il"), "object": "line_item", "amount": amount, "currency": sub["currency"]}
    made |= {"description": text, "discount_amounts": [], "discountable": not proration, "discounts": []}
    made |= {"invoice": None, "livemode": store.live, "metadata": dict(sub["metadata"])}
    made |= {"parent": {"subscription_item_details": details, "invoice_item_details": None}}
    made["parent"]["type"] = "subscription_item_details"
    made |= {"period": {"start": start, "end": end}, "pretax_credit_amounts": [], "quantity": item["quantity"]}
    decimal = item["price"]["unit_amount_decimal"]
    made["pricing"] = {"price_details": price, "type": "price_details", "unit_amount_decimal": decimal}
    return {**made, "subtotal": amount, "subscription": sub["id"], "taxes": []}


def invoice(store: Store, sub: Obj, customer: Obj, lines: list[Obj], **fields: Any) -> Obj:
    total = sum(each["amount"] for each in lines)
    made = base(store, "in", "invoice", account_country="US", account_name="Florin demo", attempted=False)
    for each in lines:
        each["invoice"] = made["id"]
    owed = total + customer["balance"]
    details = {"metadata": dict(sub["metadata"]), "subscription": sub["id"], "subscription_proration_date": None}
    made |= {"amount_due": max(owed, 0), "amount_overpaid": 0, "amount_paid": 0, "amount_remaining": max(owed, 0)}
    made |= {"amount_shipping": 0, "application": None, "attempt_count": 0, "auto_advance": True}
    made |= {
        "automatic_tax": dict(NO_TAX),
        "automatically_finalizes_at": None,
        "collection_method": "charge_automatically",
    }
    made |= {"currency": sub["currency"], "customer": customer["id"], "customer_email": customer["email"]}
    made |= {"customer_name": customer["name"], "default_payment_method": None, "description": None, "discounts": []}
    made |= {"due_date": None, "effective_at": None, "ending_balance": min(owed, 0), "footer": None}
    made |= {"hosted_invoice_url": None, "invoice_pdf": None, "issuer": SELF, "last_finalization_error": None}
    made |= {"lines": listed(lines, f"/v1/invoices/{made['id']}/lines"), "next_payment_attempt": None, "number": None}
    made |= {"parent": {"quote_details": None, "subscription_details": details, "type": "subscription_details"}}
    made |= {"period_start": store.now(), "period_end": store.now(), "receipt_number": None, "status": "draft"}
    made |= {"post_payment_credit_notes_amount": 0, "pre_payment_credit_notes_amount": 0, "test_clock": None}
    made["starting_balance"] = customer["balance"]
    stamps = ("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")
    made |= {"status_transitions": dict.fromkeys(stamps), "subtotal": total, "total": total, "total_taxes": []}
    return {**made, "webhooks_delivered_at": None, **fields}


def invoice_payment(store: Store, invoice: Obj, intent: Obj) -> Obj:
    made = base(store, "inpay", "invoice_payment", amount_paid=None, amount_requested=invoice["amount_due"])
    del made["metadata"]
    made |= {"currency": invoice["currency"], "invoice": invoice["id"], "is_default": True, "status": "open"}
    made["payment"] = {"payment_intent": intent["id"], "type": "payment_intent"}
    return {**made, "status_transitions": {"canceled_at": None, "paid_at": None}}


def session(store: Store, **fields: Any) -> Obj:
    made = base(store, "cs", "checkout.session", adaptive_pricing=None, after_expiration=None)
    made |= {"allow_promotion_codes": None, "amount_subtotal": None, "amount_total": None, "currency": None}
    made |= {"automatic_tax": {"enabled": False, "liability": None, "status": None}, "cancel_url": None}
    made |= {"client_reference_id": None, "client_secret": None, "consent": None, "custom_fields": []}
    made |= {"customer": None, "customer_account": None, "customer_creation": None, "customer_email": None}
    made |= {"customer_details": None, "discounts": [], "expires_at": store.now() + 86_400, "invoice": None}
    made |= {"invoice_creation": None, "locale": None, "mode": "payment", "payment_intent": None, "payment_link": None}
    made |= {"payment_method_collection": "if_required", "payment_method_types": ["card"], "payment_status": "unpaid"}
    made |= {"recovered_from": None, "setup_intent": None, "shipping_options": [], "status": "open"}
    made |= {"submit_type": None, "subscription": None, "success_url": None, "ui_mode": "hosted_page"}
    made["total_details"] = {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0}
    return {**made, "url": f"{store.url}/c/pay/{made['id']}", **fields}


def portal_session(store: Store, customer: Obj, return_url: str | None) -> Obj:
    made = base(store, "bps", "billing_portal.session", configuration="bpc_000000000001", customer=customer["id"])
    del made["metadata"]
    made |= {"customer_account": None, "flow": None, "locale": None, "on_behalf_of": None, "return_url": return_url}
    return {**made, "url": f"{store.url}/p/session/{made['id']}"}
