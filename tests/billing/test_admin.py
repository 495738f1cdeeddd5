"""The desk: what is sold, what was paid, what the provider told, and the button that really runs an event again."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.models import Payment, ProviderEvent
from credits.models import Account
from tests.billing.till import Till, standing


@pytest.fixture
def desk(till: Till) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("carol"))
    return client


@pytest.fixture
def refunded(till: Till, bob: Account) -> Till:
    till.fake.refund(till.charge(till.buy(bob)), 100)
    till.deliver()
    return till


@pytest.mark.parametrize("page", ["payment", "providerevent", "pack"])
def test_every_page_opens(desk: Client, refunded: Till, page: str) -> None:
    assert desk.get(f"/admin/billing/{page}/").status_code == 200
    assert desk.get(f"/admin/billing/{page}/?q=pi_x").status_code == 200


def test_a_payment_tells_what_went_back(desk: Client, refunded: Till) -> None:
    page = desk.get(f"/admin/billing/payment/{Payment.objects.get().pk}/change/").content.decode()

    assert "1.00 USD" in page
    assert "Pack small" in page


def test_replay_really_runs_an_event_again(desk: Client, till: Till, bob: Account) -> None:
    till.buy(bob)
    paid: dict[str, Any] = next(each for each in till.news() if each["type"] == "payment_intent.succeeded")
    till.knock(paid)
    ProviderEvent.objects.update(state="failed", next_try_at=None, error="RuntimeError")
    row = ProviderEvent.objects.get()
    assert "RuntimeError" in desk.get(f"/admin/billing/providerevent/{row.pk}/change/").content.decode()

    button = f"/admin/billing/providerevent/{row.pk}/replay/"
    assert b"Replay the event?" in desk.get(button).content
    assert desk.post(button).status_code == 302
    till.work()

    assert standing(bob)[0] == 100
    assert ProviderEvent.objects.get().state == "done"


def test_of_support_the_account_page_asks_little(till: Till, bob: Account) -> None:
    till.fake.refund(till.charge(till.buy(bob)), 100)
    till.deliver()
    till.subscribe(bob)
    till.deliver()
    user, client = User.objects.create_user("sam", is_staff=True), Client()
    user.groups.set(Group.objects.filter(name="Support"))
    client.force_login(user)

    with CaptureQueriesContext(connection) as queries:
        page = client.get(f"/admin/credits/account/{bob.pk}/change/").content.decode()

    assert "Pack small" in page
    assert "cus_" in page
    assert len(queries) <= 20, "\n".join(each["sql"][:150] for each in queries)
