"""The page that Prometheus scrapes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from secrets import compare_digest

import redis
from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from config.metrics import books, requests, sent, work
from config.metrics.families import gauge

log = logging.getLogger(__name__)

Section = Callable[[], Iterator[Metric]]
SECTIONS: dict[str, Section] = {
    "books": books.collect,
    "inbox": work.inbox,
    "sent": sent.collect,
    "events": work.events,
    "queue": work.queue,
    "jobs": work.jobs,
    "database": work.database,
}


class Read(Collector):
    """What is read at the scrape. A section that cannot be read is missing, and says so; the others are told."""

    def collect(self) -> Iterable[Metric]:
        """Read every section."""
        up = {}
        for name, section in SECTIONS.items():
            try:
                yield from list(section())
                up[name,] = 1
            except (DatabaseError, redis.RedisError) as error:
                log.warning("The metrics of %s could not be read: %s", name, type(error).__name__)
                up[name,] = 0
        yield gauge("florin_metrics_up", "0 where a section of this page could not be read.", up, ["section"])


@csrf_exempt
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with every figure. Needs METRICS_TOKEN as a Bearer token; in development none need be set."""
    if not _allowed(request):
        refused = HttpResponse("Send METRICS_TOKEN as a Bearer token.\n", status=401, content_type="text/plain")
        refused["WWW-Authenticate"] = 'Bearer realm="metrics"'
        return refused
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Read())
    return HttpResponse(requests.counted() + generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _allowed(request: HttpRequest) -> bool:
    token = settings.METRICS_TOKEN
    if not token:
        return bool(settings.DEVELOPMENT)
    return compare_digest(request.META.get("HTTP_AUTHORIZATION", "").encode(), f"Bearer {token}".encode())
