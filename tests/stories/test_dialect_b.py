"""Dialect B: tenants, history, and charges in two phases."""

from __future__ import annotations

from uuid import uuid4

import pytest

from credits.models import Account
from tests.conftest import Api

TENANT = "tenant-123"
MOVED = {"transaction_id", "tenant_id", "amount", "balance_before", "balance_after", "timestamp"}


@pytest.fixture
def funded(api: Api) -> Api:
    added = api.post("/api/v1/credits/add", {"tenant_id": TENANT, "amount": 50000, "description": "Start"})
    assert added.status_code == 200
    return api


def test_the_story_of_a_tenant(funded: Api) -> None:
    balance = funded.get(f"/api/v1/credits/balance/{TENANT}").json()
    assert balance.keys() == {"tenant_id", "balance", "currency", "last_updated"}
    assert (balance["tenant_id"], balance["balance"], balance["currency"]) == (TENANT, 50000, "credits")
    assert balance["last_updated"].endswith("Z")

    consumed = funded.post(
        "/api/v1/credits/consume",
        {
            "tenant_id": TENANT,
            "amount": 100,
            "description": "WAF inspection",
            "metadata": {"service": "waf", "request_id": "req-789"},
        },
    )
    assert consumed.status_code == 200
    assert consumed.json().keys() == MOVED
    assert (consumed.json()["amount"], consumed.json()["balance_before"], consumed.json()["balance_after"]) == (
        100,
        50000,
        49900,
    )

    history = funded.get(f"/api/v1/credits/history/{TENANT}?limit=100&offset=0").json()
    assert history["pagination"] == {"total": 2, "limit": 100, "offset": 0}
    assert [(row["type"], row["amount"], row["balance_after"]) for row in history["data"]] == [
        ("debit", 100, 49900),
        ("credit", 50000, 50000),
    ]
    assert history["data"][0].keys() == {
        "transaction_id", "tenant_id", "type", "amount", "balance_after", "description", "timestamp",
    }  # fmt: skip


def test_the_same_payment_credits_once_whatever_the_key(funded: Api) -> None:
    body = {"tenant_id": TENANT, "amount": 10000, "description": "Pack", "payment_id": "pay-xyz-abc"}

    first = funded.post("/api/v1/credits/add", body, once="a")
    second = funded.post("/api/v1/credits/add", body, once="b")

    assert second.json() == first.json()
    assert funded.get(f"/api/v1/credits/balance/{TENANT}").json()["balance"] == 60000


def test_a_key_in_the_body_does_for_one_in_the_header(funded: Api) -> None:
    body = {"tenant_id": TENANT, "amount": 7, "idempotency_key": "in-body"}

    first = funded.post("/api/v1/credits/consume", body)
    second = funded.post("/api/v1/credits/consume", body)

    assert (second.content, second.headers["Idempotency-Replayed"]) == (first.content, "true")


def test_a_reservation_committed_and_one_cancelled(funded: Api) -> None:
    reserve = {"tenant_id": TENANT, "amount": 100, "ttl_seconds": 60, "description": "Sandbox run"}
    kept = funded.post("/api/v1/credits/reserve", reserve)
    dropped = funded.post("/api/v1/credits/reserve", reserve)
    assert kept.status_code == dropped.status_code == 200
    assert isinstance(kept.json()["reservation_id"], str)

    committed = funded.post(
        "/api/v1/credits/commit", {"tenant_id": TENANT, "reservation_id": kept.json()["reservation_id"]}
    )
    cancelled = funded.post(
        "/api/v1/credits/cancel", {"tenant_id": TENANT, "reservation_id": dropped.json()["reservation_id"]}
    )

    assert (committed.status_code, committed.json().keys(), committed.json()["amount"]) == (200, MOVED, 100)
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert funded.get(f"/api/v1/credits/balance/{TENANT}").json()["balance"] == 49900
    assert Account.objects.get().held == 0


def test_committing_twice_or_for_another_tenant_moves_nothing(funded: Api) -> None:
    reserved = funded.post("/api/v1/credits/reserve", {"tenant_id": TENANT, "amount": 10}).json()["reservation_id"]
    other = funded.post("/api/v1/credits/commit", {"tenant_id": "tenant-9", "reservation_id": reserved})
    assert (other.status_code, other.json()["code"]) == (404, "hold_not_found")

    funded.post("/api/v1/credits/commit", {"tenant_id": TENANT, "reservation_id": reserved})
    again = funded.post("/api/v1/credits/commit", {"tenant_id": TENANT, "reservation_id": reserved})

    assert (again.status_code, again.json()["code"]) == (409, "hold_closed")
    assert funded.get(f"/api/v1/credits/balance/{TENANT}").json()["balance"] == 49990


def test_shortages_are_402(funded: Api) -> None:
    for path in ("consume", "reserve"):
        refused = funded.post(f"/api/v1/credits/{path}", {"tenant_id": TENANT, "amount": 50001})
        assert (refused.status_code, refused.json()["code"]) == (402, "insufficient_credits")


def test_an_unknown_tenant_is_a_404_but_add_opens_it(api: Api) -> None:
    assert api.get("/api/v1/credits/balance/new").status_code == 404
    assert api.get("/api/v1/credits/history/new").status_code == 404
    assert api.post("/api/v1/credits/consume", {"tenant_id": "new", "amount": 1}).status_code == 404
    unknown = {"tenant_id": "new", "reservation_id": str(uuid4())}
    assert api.post("/api/v1/credits/commit", unknown).status_code == 404

    assert api.post("/api/v1/credits/add", {"tenant_id": "new", "amount": 3}).json()["balance_after"] == 3


def test_history_by_offset(funded: Api) -> None:
    for number in range(5):
        funded.post("/api/v1/credits/consume", {"tenant_id": TENANT, "amount": number + 1})

    page = funded.get(f"/api/v1/credits/history/{TENANT}?limit=2&offset=1").json()

    assert [row["amount"] for row in page["data"]] == [4, 3]
    assert page["pagination"] == {"total": 6, "limit": 2, "offset": 1}
    assert funded.get(f"/api/v1/credits/history/{TENANT}?limit=-1").status_code == 400


class TestStatistics:
    def test_tell_each_day_as_the_predecessor_did(self, funded: Api) -> None:
        for amount in (100, 4900):
            funded.post("/api/v1/credits/consume", {"tenant_id": TENANT, "amount": amount})

        told = funded.get(f"/api/v1/credits/stats/{TENANT}?period=daily").json()

        assert told.keys() == {"tenant_id", "period", "data", "total_consumed", "average_daily"}
        assert (told["tenant_id"], told["period"], len(told["data"])) == (TENANT, "daily", 30)
        assert told["data"][-1] == {
            "date": told["data"][-1]["date"], "consumed": 5000, "added": 50000, "balance_end": 45000,
        }  # fmt: skip
        assert told["data"][0] == {"date": told["data"][0]["date"], "consumed": 0, "added": 0, "balance_end": 0}
        assert (told["total_consumed"], told["average_daily"]) == (5000, 166.67)

    @pytest.mark.parametrize("period", ["weekly", "monthly"])
    def test_come_by_week_and_month(self, funded: Api, period: str) -> None:
        told = funded.get(f"/api/v1/credits/stats/{TENANT}?period={period}").json()

        assert (told["period"], told["data"][-1]["balance_end"]) == (period, 50000)

    def test_of_a_stranger_or_an_unknown_period_are_refused(self, funded: Api) -> None:
        assert funded.get("/api/v1/credits/stats/nobody").status_code == 404
        assert funded.get(f"/api/v1/credits/stats/{TENANT}?period=hourly").status_code == 400


class TestQuotas:
    def test_limit_what_a_tenant_consumes(self, funded: Api) -> None:
        path = f"/api/v1/credits/quotas/{TENANT}"
        unlimited = funded.get(path).json()
        limited = funded.post(path, {"daily_limit": 150, "monthly_limit": 100000}, method="PUT").json()
        consume = {"tenant_id": TENANT, "amount": 100}
        statuses = [funded.post("/api/v1/credits/consume", consume).status_code for _ in range(2)]

        assert unlimited.keys() == {
            *("tenant_id", "daily_limit", "monthly_limit", "current_daily_usage", "current_monthly_usage"),
            *("reset_daily_at", "reset_monthly_at"),
        }
        assert (unlimited["daily_limit"], unlimited["current_daily_usage"]) == (None, 0)
        assert (limited["daily_limit"], limited["monthly_limit"]) == (150, 100000)
        assert statuses == [200, 429]
        told = funded.get(path).json()
        assert (told["current_daily_usage"], told["current_monthly_usage"]) == (100, 100)

    def test_are_refused_where_they_make_no_sense(self, funded: Api) -> None:
        path = f"/api/v1/credits/quotas/{TENANT}"

        for body in ({"daily_limit": -1}, {"daily_limit": "lots"}, {"hourly_limit": 1}):
            assert funded.post(path, body, method="PUT").status_code == 400
        assert funded.get("/api/v1/credits/quotas/nobody").status_code == 404
