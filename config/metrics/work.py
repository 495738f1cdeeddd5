"""What waits and what ran: the webhook inbox, Celery's queue, the jobs of the clock, the database's connections."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import redis
from django.conf import settings
from prometheus_client.core import Metric

from config.celery import SENT_AT
from config.clock import JOBS
from config.metrics.families import counter, gauge, rows
from credits.models import EventType

QUEUE = "celery"

INBOX = """
    SELECT state, count(*), coalesce(extract(epoch FROM now() - min(tried_since)), 0) FROM billing_providerevent
    WHERE next_try_at IS NOT NULL OR state = 'failed' GROUP BY 1
"""
OPEN_STATES = ("received", "processing", "parked", "failed")
PUBLISHED = "SELECT type, events FROM billing_publishedtotal"
# An event may be waited for by several lanes: the one that is furthest behind counts.
UNPUBLISHED = """
    SELECT count(*), coalesce(greatest(extract(epoch FROM now() - min(recorded_at)), 0), 0)
    FROM (SELECT recorded_at FROM credits_event
          WHERE id > coalesce((SELECT min(position) FROM billing_relaylane), 0) ORDER BY id LIMIT %s) waiting
"""
MOST_UNPUBLISHED = 100_000
LETTERS = "SELECT count(*) FROM billing_deadletter WHERE state = 'open'"
RUNS = """
    SELECT job, extract(epoch FROM now() - last.finished_at), last.error <> '', last.done FROM unnest(%s::text[]) AS job
    CROSS JOIN LATERAL (SELECT finished_at, error, done FROM credits_taskrun r WHERE r.job = job.job
                        AND finished_at IS NOT NULL ORDER BY started_at DESC LIMIT 1) last
"""
CONNECTIONS = """
    SELECT coalesce(state, 'unknown'), count(*) FROM pg_stat_activity WHERE datname = current_database() GROUP BY 1
"""
MOST_CONNECTIONS = "SELECT current_setting('max_connections')::int"


def inbox() -> Iterator[Metric]:
    """Tell what webhooks wait, or failed."""
    found = {state: (count, age) for state, count, age in rows(INBOX)}
    states = {(state,): found.get(state, (0, 0.0)) for state in OPEN_STATES}
    counts = {labels: count for labels, (count, _) in states.items()}
    ages = {labels: age for labels, (_, age) in states.items()}
    yield gauge("florin_webhook_events", "Webhooks that are not done.", counts, ["state"])
    yield gauge("florin_webhook_oldest_seconds", "Age of the oldest of them.", ages, ["state"])


def events() -> Iterator[Metric]:
    """Tell what was published, what waits for it, and what was told to us and could not be applied."""
    published = dict.fromkeys(((name,) for name in EventType.values), 0)
    published |= {(name,): count for name, count in rows(PUBLISHED)}
    yield counter("credits_events_published", "Events that NATS acknowledged.", published, ["event_type"])
    yield gauge("florin_dead_letters", "Messages from NATS that wait for staff.", rows(LETTERS)[0][0])
    # Without NATS nothing waits for it.
    waiting, age = rows(UNPUBLISHED, [MOST_UNPUBLISHED])[0] if settings.NATS_URL else (0, 0.0)
    yield gauge("florin_outbox_events", f"Events to be published, up to {MOST_UNPUBLISHED:,}.", waiting)
    yield gauge("florin_outbox_oldest_seconds", "Age of the oldest of them.", age)


def queue() -> Iterator[Metric]:
    """Tell how long Celery's queue is, and how long its head has waited for a worker."""
    broker = redis.Redis.from_url(settings.CELERY_BROKER_URL, socket_connect_timeout=0.5, socket_timeout=0.5)
    with broker:
        waiting, head = broker.llen(QUEUE), broker.lindex(QUEUE, -1)
    sent = json.loads(head)["headers"].get(SENT_AT) if head else None
    age = max(0.0, time.time() - float(sent)) if sent else 0.0
    yield gauge("florin_celery_queue_messages", "Tasks that wait for a worker.", waiting)
    yield gauge("florin_celery_queue_oldest_seconds", "How long the first of them has waited.", age)


def jobs() -> Iterator[Metric]:
    """Tell when each job of the clock last ended, whether it failed, and what the audit found."""
    last = rows(RUNS, [list(JOBS)])
    ages = {(job,): age for job, age, _, _ in last}
    failed = {(job,): int(failure) for job, _, failure, _ in last}
    yield gauge("florin_job_last_run_age_seconds", "How long ago a job last ended.", ages, ["job"])
    yield gauge("florin_job_failed", "1 where the last run of a job failed.", failed, ["job"])
    for job, _, failure, done in last:
        if job == "audit_books" and not failure:
            yield gauge("florin_audit_offenders", "What the last audit of the books found amiss.", done)


def database() -> Iterator[Metric]:
    """Tell how many connections there are, of how many there may be. Each thread of a process keeps one."""
    states = {(state,): count for state, count in rows(CONNECTIONS)}
    yield gauge("florin_database_connections", "Connections to the database.", states, ["state"])
    yield gauge("florin_database_connections_max", "How many the server allows.", rows(MOST_CONNECTIONS)[0][0])
