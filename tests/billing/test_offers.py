"""Whoever is short of credits is told what would cover it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import Pack
from credits.models import Account
from tests.billing.till import Till
from tests.conftest import Api

SMALL = {"code": "small", "name": "100 credits", "credits": 100, "price_minor": 1000, "currency": "USD"}


@pytest.mark.parametrize(
    ("amount", "pack"), [(1, "small"), (100, "small"), (101, "large"), (1000, "large"), (1001, None)]
)
def test_the_cheapest_pack_that_would_do_is_named(till: Till, bob: Account, amount: int, pack: str | None) -> None:
    told = Api().post("/api/v1/accounts/bob/debits", {"amount": amount})

    assert told.status_code == 402
    assert told.json().get("cheapest_pack", {}).get("code") == pack


def test_it_is_told_as_it_is_sold_and_again_for_the_same_key(till: Till, bob: Account) -> None:
    api = Api()
    told = [api.post("/api/v1/accounts/bob/debits", {"amount": 7}, once="k").json() for _ in range(2)]
    assert told[0] == told[1]
    assert told[0]["cheapest_pack"] == SMALL


def test_a_predecessors_caller_finds_it_too(till: Till, bob: Account) -> None:
    told = Api().post("/api/v1/credits/consume", {"tenant_id": "bob", "amount": 7})
    assert (told.status_code, told.json()["cheapest_pack"]) == (402, SMALL)


def test_nothing_is_named_where_nothing_is_sold(bob: Account, settings: Any) -> None:
    told = Api().post("/api/v1/accounts/bob/debits", {"amount": 7})
    assert (told.status_code, "cheapest_pack" in told.json()) == (402, False)


def test_a_batch_of_refusals_asks_once(till: Till, bob: Account) -> None:
    items = [{"op": "debit", "account": "bob", "amount": 5}] * 50
    with CaptureQueriesContext(connection) as queries:
        told = Api().post("/api/v1/batches", {"items": items}).json()
    assert Pack.objects.exists()
    assert len([each for each in queries if "billing_pack" in each["sql"]]) <= 1, told
