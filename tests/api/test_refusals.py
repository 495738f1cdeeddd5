"""Every refusal, by its code: the books are byte-identical afterwards, even where something had fallen due."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from credits import refusals
from credits.services import accounts, corrections
from credits.services.allowances import Limit
from credits.services.batch import BatchRefused
from tests.books import Books
from tests.conftest import Api
from tests.factories import allowance, give, hold, make_account, memo, price, spend

ALICE = "/api/v1/accounts/alice"
NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def town(database: None) -> dict[str, Any]:
    """Accounts in every state, and on Alice's a lot and a hold that fell due an hour ago."""
    past = timezone.now() - timedelta(hours=2)
    alice = make_account(external_id="alice", balance=100, at=past)
    give(alice, 50, at=past, expires_at=past + timedelta(hours=1))
    hold(alice, 5, at=past, lasting=timedelta(hours=1), abandonment_charge=2)
    carl = make_account(external_id="carl", balance=100)
    frozen = make_account(external_id="frozen", balance=10)
    closed = make_account(external_id="closed")
    accounts.freeze_account(account=frozen.pk, reason="")
    accounts.close_account(account=closed.pk, memo=memo())
    price("rationed", amount=1)
    price("denied", amount=1)
    allowance("plan", ("rationed",), Limit("rationed", "daily", Decimal(0)), default=True)
    spent = spend(carl, 30)
    undone = spend(carl, 10)
    done = hold(carl, 5)
    return {
        "spent": spent.id,
        "undone": undone.id,
        "reversal": corrections.reverse_transaction(transaction=undone.id, memo=memo()).id,
        "paid": give(carl, 5, because=memo(reference_type="payment", reference_id="pi_1")).id,
        "open": hold(carl, 5).id,
        "lapsed": hold(alice, 1, at=past, lasting=timedelta(minutes=1)).id,
        "done": done.id,
    }


CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("insufficient_credits", f"{ALICE}/debits", {"amount": 101}),
    ("quota_exceeded", f"{ALICE}/debits", {"amount": 1, "feature": "rationed"}),
    ("quota_exceeded", f"{ALICE}/holds", {"amount": 1, "feature": "rationed"}),
    ("quota_exceeded", "/api/v1/usage", {"account": "alice", "feature": "rationed"}),
    ("feature_not_enabled", f"{ALICE}/debits", {"amount": 1, "feature": "denied"}),
    ("price_not_found", "/api/v1/usage", {"account": "alice", "feature": "time-travel"}),
    ("quota_not_found", "/api/v1/accounts/carl/quotas/reset", {"period": "weekly"}),
    ("insufficient_credits", f"{ALICE}/holds", {"amount": 101}),
    ("insufficient_credits", f"{ALICE}/adjustments", {"amount": -101, "reason": "correction"}),
    ("insufficient_credits", "/api/v1/transfers", {"source": "alice", "target": "carl", "amount": 101}),
    ("account_not_found", "/api/v1/accounts/nobody/debits", {"amount": 1}),
    ("account_not_found", "/api/v1/transfers", {"source": "carl", "target": "nobody", "amount": 1}),
    ("hold_not_found", f"/api/v1/holds/{NOBODY}/capture", {}),
    ("transaction_not_found", f"/api/v1/transactions/{NOBODY}/refund", {}),
    ("account_exists", "/api/v1/accounts", {"external_id": "alice", "initial_balance": 5}),
    ("account_frozen", "/api/v1/accounts/frozen/debits", {"amount": 1}),
    ("account_frozen", "/api/v1/accounts/frozen/holds", {"amount": 1}),
    ("account_frozen", "/api/v1/transfers", {"source": "frozen", "target": "carl", "amount": 1}),
    ("account_closed", "/api/v1/accounts/closed/topups", {"amount": 1}),
    ("account_closed", "/api/v1/accounts/closed/freeze", {}),
    ("account_closed", "/api/v1/transfers", {"source": "carl", "target": "closed", "amount": 1}),
    ("account_not_empty", "/api/v1/accounts/carl/close", {}),
    ("balance_limit", "/api/v1/batches", {"atomic": True, "items": [
        {"type": "topup", "account": "carl", "amount": 10**12}] * 100}),
    ("hold_closed", "/api/v1/holds/{lapsed}/capture", {}),
    ("hold_closed", "/api/v1/holds/{lapsed}/extend", {"ttl_seconds": 99_999}),
    ("capture_exceeds_hold", "/api/v1/holds/{open}/capture", {"amount": 6}),
    ("not_refundable", "/api/v1/transactions/{paid}/refund", {}),
    ("refund_exceeds_spend", "/api/v1/transactions/{spent}/refund", {"amount": 31}),
    ("refund_exceeds_spend", "/api/v1/transactions/{undone}/refund", {}),
    ("not_reversible", "/api/v1/transactions/{reversal}/reverse", {}),
    ("already_reversed", "/api/v1/transactions/{undone}/reverse", {}),
    ("reference_conflict", "/api/v1/accounts/carl/topups",
     {"amount": 6, "reference_type": "payment", "reference_id": "pi_1"}),
    ("invalid", "/api/v1/transfers", {"source": "carl", "target": "carl", "amount": 1}),
    ("invalid", "/api/v1/holds/{open}/extend", {"ttl_seconds": 1}),
    ("batch_refused", "/api/v1/batches", {"atomic": True, "items": [
        {"type": "debit", "account": "carl", "amount": 1}, {"type": "debit", "account": "carl", "amount": 999}]}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "path", "body"), CASES, ids=[f"{code}-{path}" for code, path, _ in CASES])
def test_leaves_the_books_byte_identical(
    api: Api, town: dict[str, Any], books: Books, code: str, path: str, body: dict[str, Any]
) -> None:
    before = books()

    first = api.post(path.format(**town), body, once="k")
    again = api.post(path.format(**town), body, once="k")

    told = first.json()
    assert (told["problem"]["code"] if code == "balance_limit" else told["code"]) == code
    assert first.headers["Content-Type"] == "application/problem+json"
    assert told["status"] == first.status_code
    assert told["detail"]
    assert told["title"]
    assert (again.status_code, again.content) == (first.status_code, first.content)
    # A price that is missing is staff's to mend; the caller's retry then charges.
    kept = first.status_code in {402, 409, 422} and code != "price_not_found"
    assert ("Idempotency-Replayed" in again.headers) == kept
    assert books() == before


def test_every_kind_of_refusal_is_tried() -> None:
    def kinds(kind: type[refusals.Refusal]) -> set[str]:
        ours = [each for each in kind.__subclasses__() if each.__module__.startswith("credits.")]
        return {kind.code}.union(*(kinds(each) for each in ours))

    elsewhere = {"refused", "request_in_progress", "idempotency_key_reused", "missing_scope"}
    # A freeze is placed by a dispute: tests/credits/test_clawback.py tries to use one.
    elsewhere |= {"hold_is_freeze"}
    # Only looked at: tests/api/test_events.py.
    elsewhere |= {"event_not_found"}
    # No request names them.
    elsewhere |= {"usage_not_found", "already_rated", "allotment_not_found", "prices_changed"}
    assert kinds(refusals.Refusal) - elsewhere == {code for code, _, _ in CASES}
    assert BatchRefused.code in {code for code, _, _ in CASES}
