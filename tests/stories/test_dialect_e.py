"""Dialect E's credits: what the Next.js app's server calls."""

from __future__ import annotations

import pytest

from tests.conftest import Api

USER = "user_2abc"


def test_a_user_never_seen_is_empty_and_short(api: Api) -> None:
    assert api.get(f"/api/credits/{USER}/balance").content == b'{"user_id":"user_2abc","balance":0}'
    assert api.get(f"/api/credits/{USER}/history").content == b"[]"
    refused = api.post(f"/api/credits/{USER}/deduct", {"amount": 5, "description": "Image"}, once="k")
    assert (refused.status_code, refused.json()["code"]) == (402, "insufficient_credits")
    assert api.post(f"/api/credits/{USER}/deduct", {"amount": 5, "description": "Image"}, once="k").status_code == 402


def test_the_story_of_a_user(api: Api) -> None:
    added = api.post(f"/api/credits/{USER}/add", {"amount": 50, "description": "Welcome"})
    assert (added.status_code, added.content) == (200, b'{"success":true,"balance":50}')

    deducted = api.post(f"/api/credits/{USER}/deduct", {"amount": 5, "description": "Image"})
    assert (deducted.status_code, deducted.content) == (200, b'{"success":true,"balance":45}')

    api.post("/api/credits/user_3def/add", {"amount": 1, "description": "Welcome"})
    moved = api.post(f"/api/credits/{USER}/transfer", {"to_user_id": "user_3def", "amount": 15, "description": "Gift"})
    assert (moved.status_code, moved.content) == (200, b'{"success":true,"balance":30}')
    assert api.get("/api/credits/user_3def/balance").json()["balance"] == 16

    history = api.get(f"/api/credits/{USER}/history?limit=50").json()
    assert [(row["type"], row["amount"], row["balance"], row["description"]) for row in history] == [
        ("SPEND", -15, 30, "Gift"),
        ("SPEND", -5, 45, "Image"),
        ("EARN", 50, 50, "Welcome"),
    ]
    assert history[0].keys() == {
        "id", "user_id", "type", "amount", "balance", "description", "metadata", "created_at",
    }  # fmt: skip


def test_a_refund_reads_as_one(api: Api) -> None:
    api.post(f"/api/credits/{USER}/add", {"amount": 50})
    api.post(f"/api/credits/{USER}/deduct", {"amount": 5})
    spent = api.get(f"/api/credits/{USER}/history").json()[0]["id"]
    api.post(f"/api/v1/transactions/{spent}/refund", {})

    assert api.get(f"/api/credits/{USER}/history?limit=1").json()[0]["type"] == "REFUND"


@pytest.mark.parametrize("verb", ["add", "deduct"])
@pytest.mark.parametrize("amount", [0, -1, None, "x"])
def test_an_amount_that_is_none_is_a_400(api: Api, verb: str, amount: object) -> None:
    refused = api.post(f"/api/credits/{USER}/{verb}", {"amount": amount, "description": "?"})

    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["amount"])


def test_a_transfer_to_a_user_never_seen_is_a_404(api: Api) -> None:
    api.post(f"/api/credits/{USER}/add", {"amount": 50})

    refused = api.post(f"/api/credits/{USER}/transfer", {"to_user_id": "nobody", "amount": 1})

    assert refused.status_code == 404
    assert api.get(f"/api/credits/{USER}/balance").json()["balance"] == 50


def test_health_needs_no_key(api: Api) -> None:
    assert api.client.get("/health").status_code == 200
