"""Dialect C: a merchant's life, told by events, and whether its plugin may be used."""

from __future__ import annotations

import json
from typing import Any

import pytest

from billing.providers.nats import Bus
from billing.services.relay import PUBLISHED
from tests.bus import Server, standing
from tests.conftest import Api
from tests.processes import until

BASE = "/api/v1/credits"
MERCHANT = "shop@example.com"


@pytest.fixture
def told(committed: None, nats: Server) -> Any:
    """The relay and the consumers on ``nats``. Returns what publishes."""
    with standing(["consume_events"], nats.url), standing(["relay_events"], nats.url), Bus(nats.url) as bus:
        bus.ensure(PUBLISHED)
        yield nats


def ask(api: Api, path: str) -> dict[str, Any]:
    answer = api.get(f"{BASE}/{path}")
    assert answer.status_code == 200, answer.content
    said: dict[str, Any] = answer.json()
    return said


def last(api: Api) -> dict[str, Any]:
    """Return the merchant's latest movement."""
    row: dict[str, Any] = ask(api, f"transactions?merchant_id={MERCHANT}&limit=1")["transactions"][0]
    return row


def settles_at(api: Api, balance: int) -> None:
    """Wait until the merchant has a balance."""
    until(
        lambda: api.get(f"{BASE}/accounts/{MERCHANT}/balance").json().get("balance") == balance,
        f"The balance never was {balance}.",
    )


def test_a_merchant_from_its_first_day_to_its_last_credit(told: Server, api: Api) -> None:
    assert api.get(f"{BASE}/plugin-status/{MERCHANT}").status_code == 404

    told.publish("evt.merchant.created", {"merchant_id": MERCHANT})
    settles_at(api, 100)
    told.publish("evt.shopify.webhook.order_paid", {"merchant_id": MERCHANT, "order_id": 5001})
    settles_at(api, 110)
    assert ask(api, f"plugin-status/{MERCHANT}") == {"merchant_id": MERCHANT, "status": "enabled", "balance": 110}

    spent = api.post(f"/api/v1/accounts/{MERCHANT}/debits", {"amount": 88})
    assert spent.json()["balance_after"] == 22
    assert ask(api, f"plugin-status/{MERCHANT}")["balance"] == 22
    api.post(f"/api/v1/accounts/{MERCHANT}/debits", {"amount": 22})
    assert ask(api, f"plugin-status/{MERCHANT}") == {"merchant_id": MERCHANT, "status": "disabled", "balance": 0}

    account = ask(api, f"accounts/{MERCHANT}")
    assert account["total_granted"] == 110
    assert account["total_consumed"] == 110
    assert account["trial_credits"] == 100
    assert account["low_balance_threshold"] == 22

    told.publish(
        "evt.billing.payment_succeeded",
        {"merchant_id": MERCHANT, "payment_id": "pay-1", "credits": 50, "paid_minor": 500, "currency": "EUR"},
    )
    settles_at(api, 50)
    told.publish("evt.shopify.webhook.order_refunded", {"merchant_id": MERCHANT, "order_id": 5001})
    until(lambda: last(api)["reference_type"] == "order_refund", "The order was never given back.")
    assert last(api)["balance_after"] == 50  # it was spent: new credits repay it
    adjustment = {"merchant_id": MERCHANT, "amount": 5, "admin_id": 7, "reason": "goodwill", "ticket": "T-1"}
    told.publish("evt.credits.manual_adjustment", adjustment)
    told.publish("evt.credits.manual_adjustment", adjustment)
    until(lambda: ask(api, f"transactions?merchant_id={MERCHANT}")["total"] == 10, "They were never adjusted.")
    assert last(api)["balance_after"] == 50

    page = ask(api, f"transactions?merchant_id={MERCHANT}&limit=3&page=2")
    assert (page["page"], page["limit"], page["total"], page["has_more"]) == (2, 3, 10, True)
    orders = ask(api, f"transactions?merchant_id={MERCHANT}&type=order&reference_type=order")["transactions"]
    assert [(row["reference_id"], row["source"], row["amount"]) for row in orders] == [("5001", "shopify", 10)]
    assert ask(api, f"transactions/{orders[0]['transaction_id']}") == orders[0]

    assert heard(told.url) == [
        ("recharged", 100, 100),
        ("plugin_status_changed", "enabled", 100),
        ("recharged", 10, 110),
        ("consumed", -88, 22),
        ("low_balance_reached", 22, 22),
        ("consumed", -22, 0),
        ("balance_exhausted", 0, 0),
        ("plugin_status_changed", "disabled", 0),
        ("recharged", 50, 50),
        ("balance_restored", 22, 50),
        ("plugin_status_changed", "enabled", 50),
        ("refunded", 0, 50),
        ("adjusted", 5, 55),
        ("debt_repaid", -5, 50),
        ("adjusted", 5, 55),
        ("debt_repaid", -5, 50),
    ]


def heard(url: str) -> list[tuple[str, Any, int]]:
    """Return what was published of the merchant, in order."""
    with Bus(url) as bus:
        inlet = bus.follow("evt.credits.*", "story", most_pending=1000, stream=PUBLISHED.name)
        found: list[dict[str, Any]] = []
        while len(found) < 16:
            taken = inlet.take(100, seconds=20)
            assert taken, found
            found += [json.loads(each.body) for each in taken]
    assert {each["merchant_id"] for each in found} == {MERCHANT}
    return [
        (
            each["event_type"].removeprefix("evt.credits."),
            each.get("amount", each.get("status", each.get("threshold"))),
            each["new_balance"],
        )
        for each in found
    ]
