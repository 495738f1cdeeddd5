"""The demo: everything an agent may meet, twice the same, with clean books."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError

from credits.demo.story import PRICES
from credits.models import Account, Allotment, ApiKey, Grant, Hold, Quota, QuotaWindow, Transaction
from credits.services import price_lists
from credits.services.keys import recognise
from tests.admin.conftest import Desk
from tests.books import audit

KEY = f"flr_demodemo_{'x' * 40}"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLORIN_DEMO_PASSWORD", "a password of the demo")
    monkeypatch.setenv("FLORIN_DEMO_API_KEY", KEY)


def load() -> str:
    out = StringIO()
    call_command("load_demo", stdout=out)
    return out.getvalue()


def test_loads_once_and_every_page_opens(database: None) -> None:
    assert "Demo data loaded" in load()
    rows = Transaction.objects.count()
    assert "Nothing was done" in load()

    assert (Account.objects.count(), Transaction.objects.count()) == (200, rows)
    assert audit() == {}
    users = {user.get_username(): user for user in User.objects.all()}
    assert set(users) == {"demo", "support", "support-lead", "finance", "engineer", "auditor"}
    assert all(user.check_password("a password of the demo") for user in users.values())
    assert [name for name, user in users.items() if user.is_superuser] == ["demo"]
    assert recognise(KEY) is not None
    assert ApiKey.objects.count() == 1
    statuses = set(Account.objects.values_list("status", flat=True))
    assert statuses == {"active", "frozen", "closed"}
    assert Account.objects.filter(balance__lt=0).exists()
    assert set(Account.objects.values_list("unit_id", flat=True)) == {"credits", "USD"}
    assert {"open", "captured", "timed_out"} <= set(Hold.objects.values_list("status", flat=True))
    kinds = {"topup", "plan", "trial", "promotion", "usage", "capture", "refund", "adjustment", "expiry", "transfer"}
    assert kinds <= set(Transaction.objects.values_list("kind", flat=True))
    assert Grant.objects.filter(is_open=True, expires_at__isnull=False).exists()
    assert Transaction.objects.filter(kind="usage", price__isnull=False, usage__has_key="model").exists()
    assert QuotaWindow.objects.exists()
    assert Quota.objects.filter(override_until__isnull=False).count() == 1
    assert Allotment.objects.exists()
    file = price_lists.read_price_file(PRICES.read_bytes())
    assert price_lists.compare_price_file(file).changing == []
    desk = Desk("dave", superuser=True)
    for model in ("account", "transaction", "grant", "hold", "feature", "price", "unpricedusage"):
        assert desk.get(f"credits/{model}/").status_code == 200
    for pk in Account.objects.values_list("pk", flat=True)[:200:20]:
        assert desk.get(f"credits/account/{pk}/change/").status_code == 200


@pytest.mark.parametrize("name", ["FLORIN_DEMO_PASSWORD", "FLORIN_DEMO_API_KEY"])
def test_asks_for_what_is_missing(database: None, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)

    with pytest.raises(CommandError, match=name):
        load()
    assert not User.objects.exists()


def test_refuses_a_key_of_another_shape_and_leaves_nothing(database: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLORIN_DEMO_API_KEY", "short")

    with pytest.raises(CommandError, match="FLORIN_DEMO_API_KEY"):
        load()
    assert not User.objects.exists()


def test_refuses_in_production(database: None, settings: Any) -> None:
    settings.DEVELOPMENT = False

    with pytest.raises(CommandError, match="for development"):
        load()
    assert not User.objects.exists()
