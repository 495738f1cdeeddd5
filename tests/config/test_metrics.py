"""/metrics: exact, whichever worker answers, and after every restart."""

from __future__ import annotations

import json
import re
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from billing.models import EventState, OutboxMark, ProviderEvent, WebhookDelivery
from billing.providers.nats import Bus
from billing.services.endpoints import disable_endpoint, make_endpoint
from billing.services.letters import Letter, keep_letters
from billing.services.relay import Relay, first_unpublished
from config.celery import SENT_AT, app
from config.metrics import work
from credits.models import Account, RunBy, Scope, TaskRun
from credits.services import runs
from credits.services.keys import create_api_key
from credits.services.totals import roll_up_statistics
from tests.bus import Server
from tests.conftest import Api
from tests.factories import give, make_account, memo, spend
from tests.processes import ROOT, web

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scrape() -> Samples:
    return parsed(Client().get("/metrics").content.decode())


def told(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


@pytest.mark.parametrize("folded", [False, True])
def test_the_books_are_told_whether_they_were_summed_or_not(alice: Account, folded: bool) -> None:
    give(alice, 50, because=memo(reference_type="order", reference_id="o-1"))
    spend(alice, 30)
    if folded:
        roll_up_statistics()
        spend(alice, 1)
    else:
        spend(alice, 1)
    make_account(external_id="dollars", unit="USD", balance="2.5")
    found = scrape()
    assert told(found, "credits_balance_total", unit="credits") == 119
    assert told(found, "credits_balance_total", unit="USD") == 2.5
    assert told(found, "credits_consumed_total", unit="credits") == 31
    assert told(found, "credits_added_total", unit="credits") == 150
    assert told(found, "credits_transactions_total", type="usage", reference_type="") == 2
    assert told(found, "credits_transactions_total", type="topup", reference_type="order") == 1
    assert told(found, "credits_accounts", unit="credits", status="active") == 1


def test_reference_types_without_end_are_told_as_one(alice: Account) -> None:
    for number in range(60):
        give(alice, 1, because=memo(reference_type=f"type-{number}", reference_id="1"))
    found = scrape()
    labels = {dict(labels)["reference_type"] for name, labels in found if name == "credits_transactions_total"}
    assert len(labels) == 51
    assert sum(value for (name, _), value in found.items() if name == "credits_transactions_total") == 61


def test_accounts_are_not_told_unless_a_setting_says_how_many(alice: Account, settings: Any) -> None:
    make_account(external_id="larger", balance=500)
    assert not [name for name, _ in scrape() if name == "credits_balance"]
    settings.METRICS_ACCOUNTS = 1
    balances = {labels: value for (name, labels), value in scrape().items() if name == "credits_balance"}
    assert balances == {frozenset({("tenant_id", "larger"), ("unit", "credits")}): 500}


def test_work_that_waits_is_told(database: None) -> None:
    came = timezone.now() - timedelta(seconds=90)
    for number, state in enumerate([EventState.RECEIVED, EventState.RECEIVED, EventState.FAILED, EventState.DONE]):
        due = timezone.now() if state == EventState.RECEIVED else None
        ProviderEvent.objects.create(
            event_id=f"evt_{number}", type="invoice.paid", livemode=False, created_at=timezone.now(), payload={},
            state=state, next_try_at=due, received_at=came, tried_since=came,
        )  # fmt: skip
    runs.run_job("audit_books", lambda: 3, by=RunBy.WORKER)
    TaskRun.objects.create(job="expire_lots", kind=RunBy.WORKER, started_at=timezone.now())
    found = scrape()
    assert told(found, "florin_webhook_events", state="received") == 2
    assert told(found, "florin_webhook_events", state="failed") == 1
    assert told(found, "florin_webhook_oldest_seconds", state="received") >= 90
    assert told(found, "florin_audit_offenders") == 3
    assert told(found, "florin_job_failed", job="audit_books") == 0
    assert ("florin_job_failed", frozenset({("job", "expire_lots")})) not in found
    assert told(found, "florin_database_connections", state="active") >= 1


def test_what_others_are_not_told_yet_is_told(alice: Account) -> None:
    now = timezone.now()
    row, _ = make_endpoint(url="https://hooks.example/")
    for status in ("pending", "pending", "failed", "delivered"):
        WebhookDelivery.objects.create(
            endpoint=row, message_id="evt_1", type="evt.credits.consumed", body="{}", status=status, created_at=now,
            occurred_at=now - timedelta(seconds=90), tried_until=now, done_at=None if status == "pending" else now,
        )  # fmt: skip
    OutboxMark.objects.create(reader="webhooks", event=0, read_at=now)

    found = scrape()
    assert told(found, "florin_deliveries", status="pending") == 2
    assert told(found, "florin_deliveries", status="failed") == 1
    assert told(found, "florin_delivery_oldest_seconds") >= 90
    assert told(found, "florin_endpoints", status="active") == 1
    assert told(found, "florin_outbox_reader_lag_seconds", reader="webhooks") > 0
    assert told(found, "florin_outbox_reader_lag_seconds", reader="notices") == 0
    disable_endpoint(row, reason="x")

    found = scrape()
    assert told(found, "florin_delivery_oldest_seconds") == 0
    assert told(found, "florin_endpoints", status="disabled") == 1


def test_the_age_of_the_queue_is_that_of_its_first(database: None, settings: Any) -> None:
    queue = redis.Redis.from_url(settings.REDIS_URL)
    queue.delete(work.QUEUE)
    app.send_task("florin.nothing", headers={})
    app.send_task("florin.nothing", headers={})
    head = json.loads(queue.lindex(work.QUEUE, -1) or "")
    head["headers"][SENT_AT] -= 60
    queue.lset(work.QUEUE, -1, json.dumps(head))
    found = scrape()
    queue.delete(work.QUEUE)
    assert told(found, "florin_celery_queue_messages") == 2
    assert 60 <= told(found, "florin_celery_queue_oldest_seconds") < 120


def test_what_cannot_be_read_is_missing_and_says_so(database: None, settings: Any) -> None:
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    found = scrape()
    assert told(found, "florin_metrics_up", section="queue") == 0
    assert told(found, "florin_metrics_up", section="books") == 1


def test_in_production_a_token_is_needed(database: None, settings: Any) -> None:
    settings.DEVELOPMENT = False
    settings.SECURE_SSL_REDIRECT = False
    assert Client().get("/metrics").status_code == 401
    settings.METRICS_TOKEN = "scraper"
    assert Client().get("/metrics").status_code == 401
    assert Client().get("/metrics", headers={"Authorization": "Bearer scrape"}).status_code == 401
    assert Client().get("/metrics", headers={"Authorization": "Bearer scraper"}).status_code == 200
    assert Client().post("/metrics").status_code == 405


def test_two_workers_add_up_exactly_and_a_restart_loses_nothing(committed: None, tmp_path: Path) -> None:
    make_account(external_id="alice", balance=100)
    _, key = create_api_key(name="web", scopes=Scope.values)
    folder = str(tmp_path / "metrics")

    def spend_some(base: str) -> None:
        with httpx.Client(base_url=base, headers={"X-API-Key": key}) as client:
            for _ in range(5):
                assert client.post("/api/v1/accounts/alice/debits", json={"amount": 1}).status_code == 201

    for rounds in (1, 2):
        with web(workers="2", PROMETHEUS_MULTIPROC_DIR=folder) as base:
            threads = [threading.Thread(target=spend_some, args=(base,)) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            scrapes = [parsed(httpx.get(f"{base}/metrics").text) for _ in range(4)]
        for found in scrapes:
            debits = [
                (value, dict(labels)["status"])
                for (name, labels), value in found.items()
                if name == "florin_http_requests_total" and dict(labels)["method"] == "POST"
            ]
            assert debits == [(40 * rounds, "201")]
            assert told(found, "credits_consumed_total", unit="credits") == 40 * rounds


def test_what_dashboard_and_alerts_ask_for_is_told(alice: Account) -> None:
    spend(alice, 1)
    Client().get("/")
    runs.run_job("audit_books", lambda: 0, by=RunBy.WORKER)
    names = {name for name, _ in scrape()}
    for file in ("grafana.json", "alerts.yml"):
        asked = set(re.findall(r"\b(?:florin|credits)_[a-z_]+", (ROOT / "docs" / "monitoring" / file).read_text()))
        assert asked
        assert asked <= names


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_alive_and_ready(database: None, path: str) -> None:
    assert Client().get(path).json() == {"status": "ok"}


def test_what_waits_for_nats_is_told(committed: None, nats: Server, bus: Bus) -> None:
    account = make_account(external_id="merchant", balance=10)
    found = scrape()
    assert told(found, "florin_outbox_events") == 2
    assert told(found, "florin_outbox_oldest_seconds") >= 0
    relaying = Relay(bus)
    relaying.share()
    while relaying.relay() or first_unpublished():
        pass
    spend(account, 1)
    keep_letters([Letter("evt.merchant.created", "m-1", b"{}", "malformed", "It says nothing.")])
    found = scrape()
    assert told(found, "credits_events_published_total", event_type="evt.credits.recharged") == 1
    assert told(found, "florin_outbox_events") == 1
    assert told(found, "florin_dead_letters") == 1
    relaying.close()


def test_plugins_asked_for_are_counted(alice: Account, api: Api) -> None:
    before = told(scrape(), "credits_plugin_status_checks_total", status="enabled")
    api.get("/api/v1/credits/plugin-status/alice@example.com")
    assert told(scrape(), "credits_plugin_status_checks_total", status="enabled") == before + 1
