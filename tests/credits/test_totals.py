"""Day totals and statistics: the ledger's own figures, however often and when they were folded."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, transaction

from credits import statistics
from credits.models import Account, DayTotal, KindTotal, Transaction
from credits.plan import Movement
from credits.plan.state import QuotaKey
from credits.plan.windows import Period, day_of
from credits.services import movements, totals
from credits.services.corrections import refund_transaction
from credits.services.quotas import set_quota
from credits.services.totals import fold_totals, roll_up_statistics
from tests.books import audit
from tests.factories import charge, give, make_account, memo, price, spend
from tests.threads import at_once

START = datetime(2026, 3, 20, tzinfo=UTC)
ZONES = ["UTC", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Europe/Berlin"]


@pytest.mark.parametrize("seed", range(12))
def test_statistics_are_the_ledger_summed_over_random_histories(database: None, seed: int) -> None:
    chance = random.Random(seed)
    zone = chance.choice(ZONES)
    account = make_account(external_id="lab", balance=100_000, at=START, time_zone=zone)
    price("scan", "per_unit", per=2, at=START)
    at, spent = START, list[Movement]()
    for _ in range(60):
        at += timedelta(hours=chance.randint(0, 30), minutes=chance.randint(0, 59))
        match chance.randint(0, 5):
            case 0:
                give(account, chance.randint(1, 50), at=at)
            case 1 if spent:
                refund_transaction(transaction=spent.pop().id, memo=memo(), at=at)
            case 2:
                spent.append(charge(account, "scan", quantity=Decimal(chance.randint(1, 9)), at=at))
            case 3:
                fold_totals([account.pk])
            case _:
                spent.append(spend(account, chance.randint(1, 20), at=at, feature=chance.choice(["", "chat", "scan"])))
    account.refresh_from_db()

    told = statistics.statistics(
        account, Period.DAILY, today=day_of(at, ZoneInfo(zone)), first_day=day_of(START, ZoneInfo(zone))
    )

    consumed: dict[date, Decimal] = defaultdict(Decimal)
    last: dict[date, Decimal] = {}
    for row in Transaction.objects.filter(account=account).order_by("sequence"):
        day = day_of(row.recorded_at, ZoneInfo(zone))
        assert row.day == day
        last[day] = row.balance_after
        if row.kind == "usage":
            consumed[day] -= row.amount
    assert {line.first_day: line.figures.consumed for line in told.lines if line.figures.consumed} == dict(consumed)
    assert {line.first_day: line.balance_end for line in told.lines if line.first_day in last} == last
    assert told.total.change == account.balance
    by_feature = statistics.usage_by_feature(account, first_day=told.first_day, last_day=told.last_day)
    assert sum(figures.consumed for _, figures in by_feature) == told.total.consumed


def test_a_long_tail_is_folded_when_it_is_read(database: None, alice: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "MOST_YOUNG", 3)
    for _ in range(5):
        spend(alice, 1)
    alice.refresh_from_db()

    told = statistics.statistics(alice, Period.DAILY, today=datetime.now(UTC).date())

    assert told.total.consumed == 5
    assert sum(DayTotal.objects.values_list("movements", flat=True)) == 6


def test_what_moved_may_be_more_than_any_account_can_hold(database: None) -> None:
    account = make_account(external_id="whale", balance=0)
    for _ in range(102):
        give(account, 10**12)
        spend(account, 10**12)

    assert roll_up_statistics() == 1
    assert KindTotal.objects.get(kind="usage").amount == -102 * 10**12


def test_rolling_up_takes_every_account_once(database: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "SLICE", 2)
    for number in range(5):
        make_account(external_id=f"owner-{number}", balance=10)
    make_account(external_id="idle")

    assert [roll_up_statistics(), roll_up_statistics()] == [5, 0]


def test_threads_that_fold_and_spend_at_once_count_everything_once(committed: None) -> None:
    account = make_account(external_id="lab", balance=1000)

    def act(number: int) -> None:
        for _ in range(10):
            if number % 2:
                fold_totals([account.pk])
            else:
                movements.spend_credits(account=account.pk, amount=Decimal(1), memo=memo())

    assert at_once([partial(act, number) for number in range(8)]) == [None] * 8
    fold_totals([account.pk])

    assert {row.kind: (row.amount, row.movements) for row in DayTotal.objects.all()} == {
        "topup": (1000, 1),
        "usage": (-40, 40),
    }


@pytest.mark.parametrize(
    ("check", "sql"),
    [
        ("totals", "UPDATE credits_daytotal SET amount = amount + 1"),
        ("totals", "UPDATE credits_daytotal SET movements = movements + 1"),
        ("totals", "DELETE FROM credits_daytotal WHERE kind = 'usage'"),
        ("totals", "UPDATE credits_totalsmark SET sequence = sequence + 1"),
        ("quotas", "UPDATE credits_quota SET used = used + 1"),
        ("quotas", "UPDATE credits_quota SET since_sequence = since_sequence + 1"),
        ("prices", "UPDATE credits_price SET effective_at = effective_at + interval '10 years' WHERE feature = 'scan'"),
        ("prices", "UPDATE credits_price SET feature = 'other' WHERE feature = 'scan'"),
    ],
)
def test_the_audit_finds_what_was_changed_behind_its_back(alice: Account, check: str, sql: str) -> None:
    price("scan", amount=5)
    set_quota(account=alice.pk, key=QuotaKey("", "daily", "credits"), limit=Decimal(50))
    charge(alice, "scan")
    fold_totals([alice.pk])
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql)

        found = audit()

        transaction.set_rollback(True)
    assert check in found
