"""What others are told: webhooks out and e-mails, as far as they wait or failed."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import Metric

from billing.services import outbox
from config.metrics.families import gauge, rows

ENDPOINTS = "SELECT status, count(*) FROM billing_webhookendpoint WHERE status <> 'deleted' GROUP BY 1"
DELIVERIES = """
    SELECT status, count(*) FROM billing_webhookdelivery WHERE status = 'pending' GROUP BY 1
    UNION ALL SELECT status, count(*) FROM billing_webhookdelivery WHERE status = 'failed' GROUP BY 1
"""
# What waits for an endpoint that is disabled waits because somebody, or its receiver, wants it so.
OLDEST = """
    SELECT coalesce(extract(epoch FROM clock_timestamp() - min(d.occurred_at)), 0) FROM billing_webhookdelivery d
    JOIN billing_webhookendpoint e ON e.id = d.endpoint_id AND e.status = 'active' WHERE d.status = 'pending'
"""
LAG = """
    SELECT reader, coalesce(extract(epoch FROM clock_timestamp() - (
        SELECT recorded_at FROM credits_event e WHERE e.id > m.event ORDER BY e.id LIMIT 1
    )), 0) FROM billing_outboxmark m
"""
NOTICES = "SELECT status, count(*) FROM billing_notice WHERE status IN ('pending', 'failed') GROUP BY 1"


def collect() -> Iterator[Metric]:
    """Tell how far events are read, and what of them is not sent yet or never was."""
    lag = dict.fromkeys(((outbox.WEBHOOKS,), (outbox.NOTICES,)), 0.0)
    lag |= {(reader,): max(float(seconds), 0.0) for reader, seconds in rows(LAG)}
    yield gauge("florin_outbox_reader_lag_seconds", "Age of the first event not read.", lag, ["reader"])
    yield gauge("florin_endpoints", "Webhook endpoints.", _counted(ENDPOINTS, "active", "disabled"), ["status"])
    counts = _counted(DELIVERIES, "pending", "failed")
    yield gauge("florin_deliveries", "Webhooks out that are not delivered.", counts, ["status"])
    oldest = max(float(rows(OLDEST)[0][0]), 0.0)
    yield gauge("florin_delivery_oldest_seconds", "Age of the oldest event that waits for an active endpoint.", oldest)
    yield gauge("florin_emails", "E-mails that are not sent.", _counted(NOTICES, "pending", "failed"), ["status"])


def _counted(statement: str, *statuses: str) -> dict[tuple[str], int]:
    """Return a count for each status, also where there is none."""
    found = dict(rows(statement))
    return {(status,): found.get(status, 0) for status in statuses}
