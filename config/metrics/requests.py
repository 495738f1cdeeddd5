"""Requests, counted and timed by the processes that answer them.

With PROMETHEUS_MULTIPROC_DIR each process counts into files of that folder, and a scrape adds up all of them, also
those of processes that are gone. Without it a process tells its own only, which suits a server of one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from django.http import HttpRequest, HttpResponse

FOLDER = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
if FOLDER:
    # Its library opens files there as soon as a metric is declared.
    Path(FOLDER).mkdir(parents=True, exist_ok=True)

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest  # noqa: E402
from prometheus_client.multiprocess import MultiProcessCollector  # noqa: E402

log = structlog.get_logger("florin.requests")

REGISTRY = CollectorRegistry()
BY = ["method", "route", "status"]
REQUESTS = Counter("florin_http_requests", "Requests answered.", BY, registry=REGISTRY)
SECONDS = Histogram(
    "florin_http_request_seconds",
    "How long requests took, from the first middleware to the last.",
    ["method", "route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
PLUGIN_CHECKS = Counter("credits_plugin_status_checks", "Plugins asked for.", ["status"], registry=REGISTRY)
for _status in ("enabled", "disabled"):
    PLUGIN_CHECKS.labels(_status)
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
# Asked every few seconds by machines, and never of interest to people.
QUIET = ("/health", "/api/v1/health", "/metrics", "/static/")


class RequestsMiddleware:
    """Counts, times and logs each request, by its route: addresses name accounts, of which there are too many."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request."""
        structlog.contextvars.clear_contextvars()
        begun = time.perf_counter()
        response = self.get_response(request)
        seconds = time.perf_counter() - begun
        method = request.method if request.method in METHODS else "other"
        route = request.resolver_match.route if request.resolver_match else "unmatched"
        REQUESTS.labels(method, route, response.status_code).inc()
        SECONDS.labels(method, route).observe(seconds)
        if status := getattr(request, "plugin_status", None):
            PLUGIN_CHECKS.labels(status).inc()
        if not request.path_info.startswith(QUIET):
            tell = log.error if response.status_code >= 500 else log.info
            tell(
                "request",
                method=method,
                path=request.path_info,
                status=response.status_code,
                milliseconds=round(seconds * 1000, 1),
            )
        return response


def counted() -> bytes:
    """Return what was counted, by this process or by all that share the folder."""
    if not FOLDER:
        return generate_latest(REGISTRY)
    together = CollectorRegistry()
    MultiProcessCollector(together, path=FOLDER)  # type: ignore[no-untyped-call]
    return generate_latest(together)
