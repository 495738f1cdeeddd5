"""The examples of buying in the schema: Alice buys the small pack."""

from __future__ import annotations

from typing import Any

from credits.api.examples import ALICE

PACK: dict[str, Any] = {
    "code": "small",
    "name": "500 credits",
    "unit": "credits",
    "credits": 500,
    "price_minor": 1000,
    "currency": "USD",
    "expires_after_days": None,
}
BUY: dict[str, Any] = {
    "account": ALICE,
    "pack": "small",
    "success_url": "https://app.example/paid",
    "cancel_url": "https://app.example/shop",
}
CHECKOUT: dict[str, Any] = {
    "id": "019a9f10-5c00-7000-8000-000000000301",
    "account": ALICE,
    "kind": "pack",
    "pack": "small",
    "plan": None,
    "credits": 500,
    "amount_minor": 1000,
    "currency": "USD",
    "status": "open",
    "url": "https://checkout.stripe.com/c/pay/cs_123",
    "created_at": "2026-10-08T16:30:00Z",
}
PAYMENT: dict[str, Any] = {
    "id": "pi_123",
    "account": ALICE,
    "amount_minor": 1000,
    "currency": "USD",
    "status": "succeeded",
    "refunded_minor": 0,
    "disputed_minor": 0,
    "under_dispute": False,
    "pack": "small",
    "invoice_number": None,
    "invoice_url": None,
    "receipt_url": "https://pay.stripe.com/receipts/123",
    "credits": 500,
    "transaction_id": "019a9f10-5c00-7000-8000-000000000302",
    "uncredited": None,
    "credits_taken_back": 0,
    "created_at": "2026-10-08T16:30:00Z",
}
REFUND_ASKED = {"amount_minor": 500, "reason": "Half of the pack was not wanted"}
REFUND = {
    "id": "01939f0e-1111-7000-8000-000000000001",
    "payment": "pi_3Q0000000000000000000000",
    "account": "ada@example.com",
    "amount_minor": 500,
    "currency": "USD",
    "status": "done",
    "refund_id": "re_3Q0000000000000000000000",
    "reason": "Half of the pack was not wanted",
    "refunded_minor": 500,
    "credits_taken_back": 50,
    "created_at": "2026-10-08T16:30:00Z",
}
AUTO_TOPUP_ASKED = {"pack": "credits-1000", "threshold": 200, "target": 1500, "most_per_day": 3}
AUTO_TOPUP = {
    "account": "ada@example.com",
    "unit": "credits",
    "pack": "credits-1000",
    "threshold": 200,
    "target": 1500,
    "most_per_hour": 2,
    "most_per_day": 3,
    "enabled": True,
    "failures": 0,
    "failure": None,
    "next_try_at": None,
    "off_at": None,
    "off_reason": None,
}
AUTO_TOPUP_OFF = {
    **AUTO_TOPUP,
    "enabled": False,
    "off_at": "2026-10-08T16:30:00Z",
    "off_reason": "Switched off by web-prod",
}
