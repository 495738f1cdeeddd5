"""How fast the payment provider's webhooks are taken in at the door, and processed behind it."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings

from benchmarks.contests import Contests
from benchmarks.load import HOST
from benchmarks.report import Figure
from benchmarks.scene import CONNECTIONS, many
from benchmarks.serving import served
from billing import handlers
from billing.providers import stripe
from billing.services import catalogue, checkouts, inbox
from credits.plan import SYSTEM, Memo, Owner
from credits.services.accounts import open_account
from tests.fakes.stripe import SECRET, FakeStripe, signature

BACK = checkouts.Return("https://app.example/paid", "https://app.example/shop")
WORKERS = 2
P99_MS = 250.0


@dataclass
class Webhooks:
    """``buyers`` customers buy a pack each; what the provider tells of it is brought to a server of its own."""

    contests: Contests
    buyers: int

    def run(self) -> list[Figure]:
        """Measure the door against plain debits, then the inbox alone."""
        with _provider() as fake:
            events = self._bought(fake)
            told = {"STRIPE_API_BASE": fake.url, "STRIPE_SECRET_KEY": fake.key, "STRIPE_WEBHOOK_SECRET": SECRET}
            with served("wsgi", "config.wsgi:application", told, "--blocking-threads", "4") as server:
                rate, took = _bring(server.port, events)
            self.contests.accounts(many(), 1)
            plain = self.contests.scene.debits(many()).rate
            processed = _process()
        door = {
            "webhooks/s": rate,
            "debits/s": plain,
            "p50 ms": took[len(took) // 2],
            "p99 ms": took[-len(took) // 100],
        }
        says = f"{len(events):,} webhooks at the door ÷ debits over HTTP"
        return [
            Figure("webhooks", says, [rate / plain], 0.5, detail=door),
            Figure("webhooks", "a webhook at the door, p99 ms", [door["p99 ms"]], P99_MS, at_most=True),
            Figure("webhooks", f"processed by {WORKERS} workers, events/s", [processed], 20),
        ]

    def _bought(self, fake: FakeStripe) -> list[bytes]:
        catalogue.add_pack(code="bench", terms=catalogue.Terms("Bench", Decimal(100), 1000))
        catalogue.publish_catalogue()
        for number in range(self.buyers):
            owner = Owner(f"buyer-{number}", "credits")
            open_account(owner=owner, memo=Memo(SYSTEM))
            page = checkouts.buy_pack(once=None, owner=owner.external_id, pack="bench", back=BACK, actor=SYSTEM)
            fake.customer_pays(page.provider_id)
        return [json.dumps(event).encode() for event in fake.events()]


@contextmanager
def _provider() -> Iterator[FakeStripe]:
    with FakeStripe() as fake:
        settings.STRIPE_API_BASE, settings.STRIPE_SECRET_KEY = fake.url, fake.key
        stripe.forget()
        yield fake
        stripe.forget()


def _bring(port: int, events: list[bytes]) -> tuple[float, list[float]]:
    """Bring every event over several connections. Returns how many a second, and what each took, sorted, in ms."""
    took: list[float] = []
    parts = [events[start::CONNECTIONS] for start in range(CONNECTIONS)]
    threads = [threading.Thread(target=_knock, args=(port, part, took)) for part in parts]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(took) / (time.perf_counter() - started), sorted(took)


def _knock(port: int, events: list[bytes], took: list[float]) -> None:
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    for body in events:
        headers = {"Stripe-Signature": signature(body, [SECRET], int(time.time())), "Content-Type": "application/json"}
        started = time.perf_counter()
        connection.request("POST", "/webhooks/stripe", body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"A webhook was answered with {answer.status}.")
        took.append((time.perf_counter() - started) * 1e3)
    connection.close()


def _process() -> float:
    """Let workers process the inbox until it is empty. Returns how many events a second."""
    done: list[int] = []
    threads = [
        threading.Thread(target=lambda: done.append(inbox.process_due_events(handlers.look_up))) for _ in range(WORKERS)
    ]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - started)
