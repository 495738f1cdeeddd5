"""The cast, the books and the doors that tests use.

Alice has 100 credits, Bob an empty account. ``api`` calls with a key that may do everything. After every test that
touched the database the books are audited.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection, connections
from django.test import Client
from django.test.utils import setup_databases, teardown_databases

from billing import offers
from billing.providers import portkey as provider
from billing.providers import stripe as payments
from billing.providers.nats import Bus
from credits import listeners
from credits.models import Account, Scope
from credits.services import keys
from tests.books import Books, audit, snapshot
from tests.bus import Server
from tests.factories import make_account
from tests.fakes.portkey import FakePortkey
from tests.fakes.stripe import FakeStripe
from tests.processes import celery, web

# With what refers to them.
TABLES = (
    "credits_account, credits_idempotencyrecord, credits_apikey, credits_allowance, credits_clockoffset,"
    " credits_taskrun, credits_kindtotal, credits_bulkadjustment, credits_overview,"
    " credits_staffact, credits_approvalrequest, credits_event, credits_eventhorizon, axes_accessattempt,"
    " subscriptions_plan, billing_pack, billing_providerevent, billing_difference, billing_autotopup,"
    " billing_webhookendpoint, billing_outboxmark, billing_notice, billing_noticeaddress,"
    " billing_relaylane, billing_publishedtotal, billing_deadletter"
)


WORKER = ("worker", "--concurrency", "1", "--without-mingle", "--without-gossip")


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
    """Make the test database, whichever way a test asks for it, and drop it at the end."""
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False)
    yield
    with django_db_blocker.unblock():
        teardown_databases(made, verbosity=0)


@pytest.fixture(autouse=True)
def _books_balance(request: pytest.FixtureRequest) -> Iterator[None]:
    """Audit the books after every test that has a database."""
    database = {"db", "committed", "database"} & set(request.fixturenames)
    if database:
        request.getfixturevalue("database")
    keys.forget()
    offers.forget()
    # Tests of this process read the outbox themselves; the service's own processes are told of news.
    listeners.forget()
    yield
    if database:
        assert audit() == {}


@pytest.fixture
def books(database: None) -> Books:
    """Tells every row of the ledger, to be compared."""
    return snapshot


@contextmanager
def commits(django_db_blocker: Any) -> Iterator[None]:
    """Let changes really be committed, for threads and processes, and empty the database afterwards.

    Django's own flush truncates, which the ledger refuses; replication's role passes by the guards.
    """
    with django_db_blocker.unblock():
        yield
        with connection.cursor() as cursor:
            # Many tables on a slow disk take longer than a request may.
            cursor.execute("SET statement_timeout = '60s'")
            cursor.execute("SET session_replication_role = replica")
            cursor.execute(f"TRUNCATE {TABLES}, django_session, django_admin_log, auth_user CASCADE")
            cursor.execute("DELETE FROM credits_price WHERE created_by <> 'Florin'")
            cursor.execute("DELETE FROM credits_feature WHERE code <> 'ai-tokens'")
            cursor.execute("SET session_replication_role = DEFAULT")
            cursor.execute("RESET statement_timeout")
        cache.clear()
        connections.close_all()


@pytest.fixture
def committed(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A database whose changes are really committed."""
    with commits(django_db_blocker):
        yield


@pytest.fixture
def database(request: pytest.FixtureRequest) -> None:
    """A database: rolled back after the test, unless the test asks for ``committed``."""
    request.getfixturevalue("committed" if "committed" in request.fixturenames else "db")


@pytest.fixture
def alice(database: None) -> Account:
    return make_account(external_id="alice@example.com", balance=100)


@pytest.fixture
def bob(database: None) -> Account:
    return make_account(external_id="bob", balance=0)


class Api:
    """A caller of the API."""

    def __init__(self, *scopes: str, name: str = "web-prod") -> None:
        self.row, self.key = keys.create_api_key(name=name, scopes=scopes or Scope.values)
        self.client = Client()

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(path, headers={"Authorization": f"Bearer {self.key}", **headers})

    def post(self, path: str, body: Any = None, *, method: str = "POST", **headers: str) -> Any:
        """Send a body, as JSON unless it is bytes. ``once`` is the Idempotency-Key."""
        once = headers.pop("once", None)
        if once is not None:
            headers["Idempotency-Key"] = once
        data = body if isinstance(body, bytes) else json.dumps(body if body is not None else {}).encode()
        return self.client.generic(
            method,
            path,
            data,
            content_type=headers.pop("content_type", "application/json"),
            headers={"Authorization": f"Bearer {self.key}", **headers},
        )

    def patch(self, path: str, body: Any) -> Any:
        return self.post(path, body, method="PATCH")


@pytest.fixture
def api(database: None) -> Api:
    return Api()


@pytest.fixture
def portkey(settings: Any) -> Iterator[FakePortkey]:
    """The AI gateway that the service asks: it knows the traces it is told of."""
    with FakePortkey() as fake:
        for name, value in gateway_settings(fake).items():
            setattr(settings, name, value)
        settings.PORTKEY_TIMEOUT_SECONDS = 10
        provider.forget()
        yield fake
        provider.forget()


def gateway_settings(fake: FakePortkey) -> dict[str, str]:
    """Return what points the service at a gateway."""
    return {"PORTKEY_URL": fake.url, "PORTKEY_API_KEY": fake.key, "PORTKEY_WORKSPACE_SLUG": fake.workspace}


@pytest.fixture
def fake_stripe(settings: Any) -> Iterator[FakeStripe]:
    """The Stripe account that the service asks. What it has to tell waits in ``deliveries``."""
    with FakeStripe() as fake:
        for name, value in stripe_settings(fake).items():
            setattr(settings, name, value)
        settings.STRIPE_WEBHOOK_SECRET = [fake.secret]
        payments.forget()
        yield fake
        payments.forget()


def stripe_settings(fake: FakeStripe) -> dict[str, str]:
    """Return what points the service at a Stripe account: settings, or the environment of a process."""
    return {"STRIPE_API_BASE": fake.url, "STRIPE_SECRET_KEY": fake.key, "STRIPE_WEBHOOK_SECRET": fake.secret}


@pytest.fixture
def nats(settings: Any, tmp_path: Path) -> Iterator[Server]:
    """A NATS server of this test's own, which the service is to use."""
    own = Server(tmp_path)
    own.start()
    settings.NATS_URL = own.url
    yield own
    own.stop()


@pytest.fixture
def bus(nats: Server) -> Iterator[Bus]:
    """A connection to ``nats``."""
    with Bus(nats.url) as made:
        yield made


@pytest.fixture
def server(committed: None, portkey: FakePortkey) -> Iterator[str]:
    """The web server on the test database. It asks ``portkey``; payments are by hand."""
    with web(**gateway_settings(portkey)) as base:
        yield base


@pytest.fixture
def worker(committed: None, fake_stripe: FakeStripe) -> Iterator[subprocess.Popen[bytes]]:
    """A worker on the test database, which asks ``fake_stripe``."""
    with celery(*WORKER, **stripe_settings(fake_stripe)) as process:
        yield process


@pytest.fixture
def paid_server(worker: subprocess.Popen[bytes], portkey: FakePortkey, fake_stripe: FakeStripe) -> Iterator[str]:
    """The web server with its ``worker``; ``fake_stripe`` sends its webhooks by itself."""
    with web(**gateway_settings(portkey), **stripe_settings(fake_stripe)) as base:
        fake_stripe.webhooks(f"{base}/webhooks/stripe")
        fake_stripe.deliveries.start()
        yield base
        fake_stripe.deliveries.stop()
