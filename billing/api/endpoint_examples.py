"""The examples of webhook endpoints in the schema."""

from __future__ import annotations

from typing import Any

from credits.api.examples import ALICE

LOW = "evt.credits.low_balance_reached"
ENDPOINT_ASKED: dict[str, Any] = {"url": "https://hooks.example/florin", "owner": ALICE, "event_types": [LOW]}
ENDPOINT: dict[str, Any] = {
    "id": "019a9f10-5c00-7000-8000-000000000401",
    "owner": ALICE,
    "url": "https://hooks.example/florin",
    "description": "",
    "event_types": [LOW],
    "status": "active",
    "status_reason": None,
    "failures": 0,
    "failing_since": None,
    "last_success_at": None,
    "created_at": "2026-10-08T16:30:00Z",
}
ENDPOINT_MADE = {**ENDPOINT, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYq="}
ENDPOINT_PATCHED: dict[str, Any] = {"event_types": []}
ENDPOINT_DELETED = {**ENDPOINT, "status": "deleted", "status_reason": "Deleted by web-prod"}
ROTATION_ASKED = {"overlap_hours": 24}
DELIVERY: dict[str, Any] = {
    "id": 512,
    "endpoint": ENDPOINT["id"],
    "message_id": "evt_90210",
    "type": LOW,
    "status": "delivered",
    "attempts": 1,
    "answer_status": 204,
    "error": None,
    "answer_excerpt": "",
    "milliseconds": 38,
    "occurred_at": "2026-10-08T16:30:00Z",
    "created_at": "2026-10-08T16:30:01Z",
    "last_try_at": "2026-10-08T16:30:01Z",
    "done_at": "2026-10-08T16:30:01Z",
    "body": {
        "id": "evt_90210",
        "type": LOW,
        "version": 1,
        "timestamp": "2026-10-08T16:30:00+00:00",
        "data": {"merchant_id": ALICE, "unit": "credits", "threshold": 20, "old_balance": 25, "new_balance": 20},
    },
}
REPLAYED = {"replayed": 12}
