"""Buying with the mouse: on the stand-in's pages, with a real web server, a real worker and its own webhooks."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.management import call_command
from django.db.models import F
from playwright.sync_api import Page, expect

from billing.models import EventState, ProviderEvent
from credits.models import Account, Scope, Transaction
from credits.services.keys import create_api_key
from subscriptions.demo import load_plans
from tests.conftest import WORKER, stripe_settings
from tests.factories import make_account
from tests.fakes.stripe import FakeStripe
from tests.processes import celery, until

CUSTOMERS = 12
ENDED = (EventState.DONE, EventState.IGNORED)


class App:
    """The product's own server: it calls the API, and sends its users to the addresses that it is given."""

    def __init__(self, site: str) -> None:
        load_plans()
        call_command("load_packs", stdout=StringIO())
        _, key = create_api_key(name="app", scopes=Scope.values)
        self.site = site
        self.client = httpx.Client(base_url=site, headers={"X-API-Key": key}, timeout=20)

    def get(self, path: str) -> Any:
        return self.client.get(path).raise_for_status().json()

    def post(self, path: str, **body: Any) -> Any:
        return self.client.post(path, json=body).raise_for_status().json()

    def checkout(self, user: str, pack: str = "small") -> str:
        """Return where a user pays for a pack."""
        back = {"success_url": f"{self.site}/", "cancel_url": f"{self.site}/"}
        return str(self.post("/api/v1/checkout", account=user, pack=pack, **back)["url"])


@pytest.fixture
def app(site: str) -> Iterator[App]:
    app = App(site)
    with app.client:
        yield app


def wait_for(true: Callable[[], bool], what: str) -> float:
    """Wait until something is so. Prints and returns how many seconds that took."""
    began = time.monotonic()
    until(true, f"Never came: {what}")
    seconds = time.monotonic() - began
    print(f"{what}: {seconds:.2f} s")  # noqa: T201  # the figure is what one looks here for
    return seconds


def balance(app: App, user: str) -> Any:
    return app.get(f"/api/credits/{user}/balance")["balance"]


def show(page: Page, account: Account) -> None:
    page.goto(f"/admin/credits/account/{account.pk}/change/")


def test_a_pack_is_bought_and_given_back(
    app: App, page: Page, fake_stripe: FakeStripe, shot: Callable[[Page, str], None]
) -> None:
    ada = make_account(external_id="ada", balance=20)
    page.goto(app.checkout("ada"))
    shot(page, "checkout")
    page.get_by_role("button", name="Pay 10.00 USD").click()
    page.wait_for_url(f"{app.site}/")
    wait_for(lambda: balance(app, "ada") == 520, "Credits after a payment")

    app.post("/api/credits/ada/deduct", amount=70, description="Image")
    page.goto(f"{fake_stripe.url}/dashboard")
    page.get_by_role("button", name="Refund").click()
    wait_for(lambda: Transaction.objects.filter(account=ada, kind="clawback").exists(), "Clawback after a refund")

    show(page, ada)
    row = page.locator("tr", has_text="Clawback")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("refund")
    shot(page, "refunded")
    # 450 of the 500 were left.
    expect(row).to_contain_text("450")
    ada.refresh_from_db()
    assert (ada.balance, ada.debt) == (Decimal(0), Decimal(50))


def test_a_plan_is_upgraded_to(app: App, visitor: Page) -> None:
    app.post("/api/credits/user_1/add", amount=5, description="Welcome")
    told = app.post("/api/subscriptions/user_1/upgrade", tier="PRO")
    assert told["tier"] == "FREE"

    visitor.goto(told["checkout_url"])
    visitor.get_by_role("button", name="Subscribe 29.00 USD").click()
    visitor.wait_for_url(lambda url: not url.startswith(told["checkout_url"]))

    wait_for(lambda: app.get("/api/subscriptions/user_1")["tier"] == "PRO", "Tier after a payment")
    assert balance(app, "user_1") == 1005
    limits = {(each["feature"], each["period"]): each["limit"] for each in app.get("/api/subscriptions/user_1/quotas")}
    assert limits[("ml-analysis", "daily")] == 200
    assert app.get("/api/subscriptions/user_1")["stripe_subscription_id"].startswith("sub_")


def family(pid: int) -> list[int]:
    """Return a process and its children."""
    return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def test_a_worker_that_is_killed_in_a_burst_loses_nothing(
    app: App, visitor: Page, fake_stripe: FakeStripe, worker: subprocess.Popen[bytes]
) -> None:
    users = [f"user_{number}" for number in range(CUSTOMERS)]
    pages = [(make_account(external_id=user), app.checkout(user))[1] for user in users]
    visitor.goto(pages[0])
    visitor.get_by_role("button", name="Pay 10.00 USD").click()
    for url in pages[1:]:
        httpx.post(url, data={"action": "pay"})
    until(ProviderEvent.objects.filter(state=EventState.DONE).exists, "Nothing was processed.")

    for pid in family(worker.pid):
        os.kill(pid, signal.SIGKILL)
    worker.wait()
    until(lambda: all(each.done for each in fake_stripe.deliveries.sent), "The door did not take everything.")
    fake_stripe.resend(fake_stripe.events("payment_intent.succeeded")[0])

    # What the dead one had begun is free when its lease has run out.
    begun = ProviderEvent.objects.filter(state=EventState.PROCESSING)
    begun.update(next_try_at=F("received_at"))
    with celery(*WORKER, **stripe_settings(fake_stripe)):
        unfinished = ProviderEvent.objects.exclude(state__in=ENDED)
        wait_for(lambda: len(fake_stripe.events()) == ProviderEvent.objects.count() and not unfinished.exists(),
                 f"{CUSTOMERS} payments after the worker came back")  # fmt: skip

    assert {balance(app, user) for user in users} == {500}
    assert Transaction.objects.filter(kind="topup").count() == CUSTOMERS
