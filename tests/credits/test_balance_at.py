"""A balance at any past moment is what a replay of the movements until then gives."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from credits import queries
from credits.models import Account, Transaction
from tests.factories import give, spend

START = datetime(2099, 1, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)


def test_is_a_replay(bob: Account) -> None:
    chance = random.Random(7)
    moment = START
    for _ in range(60):
        moment += chance.choice([timedelta(0), TICK, timedelta(seconds=chance.randint(1, 5000))])
        (spend if bob_has_credits() and chance.random() < 0.6 else give)(bob, chance.randint(1, 5), at=moment)
    rows = list(Transaction.objects.order_by("sequence").values_list("recorded_at", "amount"))

    for at in [START - TICK, *(row[0] + step for row in rows for step in (-TICK, timedelta(0), TICK))]:
        replayed = sum((amount for recorded_at, amount in rows if recorded_at <= at), Decimal(0))
        assert queries.balance_at(bob.pk, at) == replayed


def bob_has_credits() -> bool:
    return Account.objects.get().balance >= 5


def test_is_zero_before_the_first_movement(bob: Account) -> None:
    assert queries.balance_at(bob.pk, START) == 0
