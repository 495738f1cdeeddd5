"""How the parts are, one by one."""

from __future__ import annotations

from typing import Any

from django.test import Client

from tests.bus import Server


def detailed() -> tuple[int, dict[str, Any]]:
    answer = Client().get("/api/v1/health/detailed")
    return answer.status_code, answer.json()


def test_each_part_tells_how_it_is_and_how_long_it_took(database: None, nats: Server) -> None:
    status, told = detailed()

    assert (status, told["status"]) == (200, "ok")
    for part in ("database", "redis", "nats"):
        assert told[part]["status"] == "up"
        assert told[part]["latency_ms"] > 0


def test_one_that_is_down_is_a_503_and_says_which(database: None, nats: Server, settings: Any) -> None:
    nats.kill()
    status, told = detailed()
    assert (status, told["status"], told["nats"]["status"]) == (503, "unavailable", "down")
    assert told["database"]["status"] == "up"

    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert detailed()[1]["redis"] == {"status": "down", "latency_ms": None}


def test_nats_need_not_be_configured(database: None) -> None:
    status, told = detailed()

    assert status == 200
    assert told["nats"]["status"] == "not configured"
