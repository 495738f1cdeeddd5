from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from credits.models import Allowance
from subscriptions.models import Plan, Subscription
from tests.factories import make_account


def load() -> str:
    out = StringIO()
    call_command("load_plans", stdout=out)
    return out.getvalue()


def test_loads_once(database: None) -> None:
    for number in range(15):
        make_account(external_id=f"owner-{number}", balance=10)

    assert load() == "3 plans loaded, 12 accounts subscribed.\n"
    assert load() == "0 plans loaded, 0 accounts subscribed.\n"

    assert set(Plan.objects.values_list("code", flat=True)) == {"FREE", "PRO", "PREMIUM"}
    assert Allowance.objects.get(is_default=True).pk == "FREE v1"
    assert set(Subscription.objects.values_list("status", flat=True)) == {
        "trialing", "active", "past_due", "paused", "canceled",
    }  # fmt: skip


def test_refuses_in_production(database: None, settings: object) -> None:
    settings.DEVELOPMENT = False  # type: ignore[attr-defined]

    with pytest.raises(CommandError, match="for development"):
        load()
    assert not Plan.objects.exists()
