"""The examples in the schema: one story of Alice, who buys 100 credits, spends some, holds some and gives some away."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample

ALICE = "alice@example.com"
BOB = "bob@example.com"
LOT = "019a9f10-5c00-7000-8000-000000000001"
HOLD_ID = "019a9f10-5c00-7000-8000-00000000000a"
ACTOR = {"kind": "key", "id": "1", "name": "web-prod"}


def _transaction(number: int, kind: str, amount: float, before: float, **more: Any) -> dict[str, Any]:
    return {
        "id": f"019a9f10-5c00-7000-8000-0000000001{number:02}",
        "account": ALICE,
        "unit": "credits",
        "sequence": number,
        "kind": kind,
        "amount": amount,
        "balance_before": before,
        "balance_after": before + amount,
        "debt": 0,
        "counterparty": "usage",
        "draws": [{"grant_id": LOT, "amount": amount}],
        "parent_id": None,
        "hold_id": None,
        "price_id": None,
        "quantity": 1 if kind in {"usage", "capture"} else 0,
        "usage": {},
        "feature": "",
        "description": "",
        "reason": "",
        "reference_type": "",
        "reference_id": "",
        "metadata": {},
        "actor": ACTOR,
        "request_id": "5f3c1d",
        "recorded_at": "2026-10-08T16:30:00Z",
        **more,
    }


OPEN = {"external_id": ALICE, "name": "Alice", "email": ALICE, "initial_balance": 100}
ACCOUNT = {
    "external_id": ALICE,
    "unit": "credits",
    "account_id": "e1c7ba64-74b5-59a4-b65f-0c2f4d1f6f5b",
    "user_id": ALICE,
    "name": "Alice",
    "email": ALICE,
    "status": "active",
    "status_reason": "",
    "balance": 100,
    "held": 0,
    "available": 100,
    "overdraft_limit": 0,
    "debt": 0,
    "low_balance_threshold": None,
    "time_zone": "UTC",
    "week_starts_on": 1,
    "metadata": {},
    "created_at": "2026-10-08T16:00:00Z",
}
BALANCE = {
    "account": ALICE,
    "unit": "credits",
    "balance": 97,
    "held": 20,
    "available": 77,
    "overdraft_limit": 0,
    "debt": 0,
    "as_of": "2026-10-08T16:31:00Z",
}
GRANT = {
    "id": LOT,
    "amount": 100,
    "remaining": 97,
    "held": 20,
    "category": "paid",
    "priority": 50,
    "expires_at": None,
    "transferable": True,
    "paid_currency": "USD",
    "paid_minor": 1000,
    "source": "payment:pi_123",
    "origin_id": None,
    "created_at": "2026-10-08T16:00:00Z",
}
DEBIT = {"amount": 3, "feature": "ml-analysis", "description": "3 ML analyses", "metadata": {"job": "j-7"}}
TRANSACTION = _transaction(2, "usage", -3, 100, feature="ml-analysis", description="3 ML analyses")
TOPUP = {
    "amount": 100,
    "paid_currency": "USD",
    "paid_minor": 1000,
    "reference_type": "payment",
    "reference_id": "pi_123",
    "description": "Pack of 100",
}
TOPUP_TRANSACTION = _transaction(
    1, "topup", 100, 0, counterparty="sales", reference_type="payment", reference_id="pi_123"
)
ADJUSTMENT = {"amount": 5, "reason": "goodwill", "description": "Slow answers on Tuesday", "ticket": "T-1042"}
ADJUSTMENT_TRANSACTION = _transaction(
    3, "adjustment", 5, 97, counterparty="adjustments", reason="goodwill", metadata={"ticket": "T-1042"}
)
HOLD_REQUEST = {"amount": 20, "ttl_seconds": 600, "abandonment_charge": 2, "description": "Streamed answer"}
HOLD = {
    "id": HOLD_ID,
    "account": ALICE,
    "unit": "credits",
    "status": "open",
    "amount": 20,
    "captured": 0,
    "remaining": 20,
    "abandonment_charge": 2,
    "lots": [{"grant_id": LOT, "amount": 20}],
    "expires_at": "2026-10-08T16:40:00Z",
    "price_id": None,
    "quantity": 1,
    "usage": {},
    "feature": "",
    "description": "Streamed answer",
    "reason": "",
    "reference_type": "",
    "reference_id": "",
    "metadata": {},
    "actor": ACTOR,
    "request_id": "5f3c1d",
    "created_at": "2026-10-08T16:30:00Z",
    "closed_at": None,
}
CAPTURE = {"amount": 8, "final": True, "description": "812 tokens"}
CAPTURE_TRANSACTION = _transaction(4, "capture", -8, 102, hold_id=HOLD_ID)
REFUND = {"amount": 1, "description": "One analysis failed"}
REFUND_TRANSACTION = _transaction(5, "refund", 1, 94, parent_id=TRANSACTION["id"])
TRANSFER = {"source": ALICE, "target": BOB, "amount": 10, "description": "A gift"}
TRANSFER_OUT = _transaction(6, "transfer", -10, 95, counterparty="transfers")
TRANSFER_IN = _transaction(1, "transfer", 10, 0, account=BOB, counterparty="transfers", parent_id=TRANSFER_OUT["id"])
BATCH = {
    "items": [
        {"type": "debit", "account": ALICE, "amount": 3, "feature": "ml-analysis"},
        {"type": "topup", "account": BOB, "amount": 50, "reference_type": "payment", "reference_id": "pi_124"},
    ]
}
BATCH_ANSWER = {
    "succeeded": 1,
    "refused": 1,
    "results": [
        {"index": 0, "status": 201, "transaction": TRANSACTION},
        {
            "index": 1,
            "status": 404,
            "problem": {
                "type": "/problems/account_not_found",
                "title": "There is no such account.",
                "status": 404,
                "detail": "There is no such account.",
                "code": "account_not_found",
            },
        },
    ],
}


def statement() -> OpenApiExample:
    """Return the example of a statement."""
    value = {
        "account": ALICE,
        "unit": "credits",
        "opening_balance": 0,
        "closing_balance": 97,
        "transactions": [TOPUP_TRANSACTION, TRANSACTION],
        "next": None,
    }
    return OpenApiExample("Answer", value=value, response_only=True)
