"""The examples of what is asked and answered about use."""

from __future__ import annotations

from credits.api import examples

FEATURE = {"code": "ml-analysis", "name": "ML analysis", "description": ""}
PRICE_REQUEST = {"feature": "ml-analysis", "scheme": "fixed", "terms": {"amount": 50}}
PRICE = {
    "id": 4,
    "unit": "credits",
    "feature": "ml-analysis",
    "model": "",
    "version": 2,
    "scheme": "fixed",
    "terms": {"amount": "50"},
    "effective_at": "2026-10-01T00:00:00Z",
    "note": "",
    "created_at": "2026-09-20T09:00:00Z",
}
USE = {"account": examples.ALICE, "feature": "ml-analysis", "quantity": 1, "trace_id": "tr-81"}
USED = {
    **examples.TRANSACTION,
    "amount": -50,
    "balance_after": 50,
    "price_id": 4,
    "quantity": 1,
    "usage": {"quantity": "1"},
    "reference_type": "trace",
    "reference_id": "tr-81",
}
USE_HOLD = {
    "account": examples.ALICE,
    "model": "gpt-6",
    "input_tokens": 1200,
    "output_tokens": 4000,
    "ttl_seconds": 120,
}
USE_BATCH = {"items": [USE, {"account": examples.BOB, "model": "gpt-6", "input_tokens": 812, "output_tokens": 97}]}
QUOTA = {
    "feature": "ml-analysis",
    "period": "daily",
    "measure": "quantity",
    "limit": 20,
    "hard": True,
    "used": 12,
    "reserved": 0,
    "remaining": 8,
    "window_start": "2026-10-08T00:00:00Z",
    "resets_at": "2026-10-09T00:00:00Z",
    "source": "plan",
    "override_until": None,
}
QUOTAS = {"account": examples.ALICE, "unit": "credits", "quotas": [QUOTA]}
QUOTA_KEY = {"feature": "ml-analysis", "period": "daily", "measure": "quantity"}
QUOTA_WINDOW = {
    **QUOTA_KEY,
    "window_start": "2026-10-07T00:00:00Z",
    "window_end": "2026-10-08T00:00:00Z",
    "used": 20,
    "limit": 20,
}
PREVIEW = {
    "allowed": True,
    "amount": 50,
    "price": {"id": 4, "version": 2, "scheme": "fixed"},
    "balance": 97,
    "balance_after": 47,
    "available_after": 27,
    "draws": [{"grant_id": examples.LOT, "amount": -50}],
    "quotas": [QUOTA | {"used": 13, "remaining": 7}],
    "warnings": [],
    "problem": None,
}
FIGURES = {"consumed": 150, "refunded": 0, "added": 100, "expired": 0, "other": 0, "uses": 3, "movements": 4}
STATISTICS = {
    "account": examples.ALICE,
    "unit": "credits",
    "time_zone": "UTC",
    "feature": None,
    "period": "daily",
    "from": "2026-10-08",
    "to": "2026-10-08",
    "data": [{"date": "2026-10-08", **FIGURES, "balance_end": 97}],
    "total": FIGURES,
}
USAGE = {
    "account": examples.ALICE,
    "unit": "credits",
    "from": "2026-09-09",
    "to": "2026-10-08",
    "features": [{"feature": "ml-analysis", **FIGURES}],
}
