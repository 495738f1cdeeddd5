"""Whether a process lives, and whether it can do its work: what to restart, and where to send callers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from billing.providers.nats import Bus, BusError


@csrf_exempt
@require_safe
def alive(request: HttpRequest) -> JsonResponse:
    """Answer 200 while this process answers at all. A restart helps where it does not, and only there."""
    return JsonResponse({"status": "ok"})


@csrf_exempt
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """Answer 200 where the database answers and has every migration of this code, else 503. Valkey is not needed."""
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return JsonResponse({"status": "unavailable", "database": "no answer"}, status=503)
    if missing:
        return JsonResponse({"status": "unavailable", "database": "not migrated"}, status=503)
    return JsonResponse({"status": "ok"})


@csrf_exempt
@require_safe
def detailed(request: HttpRequest) -> JsonResponse:
    """Answer how the database, Valkey and NATS are, each with the milliseconds it took; 503 when one is down.

    For people and monitors, not for load balancers: with Valkey or NATS down requests are still served.
    """
    parts = {"database": _timed(_database), "redis": _timed(_valkey)}
    parts["nats"] = _timed(_nats) if settings.NATS_URL else {"status": "not configured", "latency_ms": None}
    down = any(part["status"] == "down" for part in parts.values())
    return JsonResponse({"status": "unavailable" if down else "ok", **parts}, status=503 if down else 200)


def _timed(ask: Callable[[], object]) -> dict[str, Any]:
    begun = time.perf_counter()
    try:
        ask()
    except (DatabaseError, redis.RedisError, BusError, OSError):
        return {"status": "down", "latency_ms": None}
    return {"status": "up", "latency_ms": round((time.perf_counter() - begun) * 1000, 1)}


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _valkey() -> None:
    with redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=0.5, socket_timeout=0.5) as server:
        server.ping()


def _nats() -> None:
    with Bus(settings.NATS_URL) as bus:
        bus.ping()
