"""Random lives of a subscriber: whatever is done, and whether or not a clock runs, the books are the same and right."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from credits.models import Account, Grant, Transaction
from credits.plan import Owner
from credits.refusals import Refusal
from credits.services.expiry import expire_due_lots, issue_due_allotments, settle_account
from subscriptions import queries
from subscriptions.models import CreditMonth, Subscription, SubscriptionChange
from subscriptions.services import by_account, subscriptions
from subscriptions.services.settling import settle_due_subscriptions
from tests.books import audit
from tests.factories import make_account, spend
from tests.subscriptions.factories import WHO, at, make_plan, make_plans

PLANS = ("BASIC", "PRO", "PREMIUM", "YEAR", "SEAT")
Told = list[Any]


def act(chance: random.Random, account: Account, now: datetime) -> str:
    """Do something with the account. Returns what came of it: a status, or the code of the refusal."""
    plan = chance.choice((*PLANS, "FREE"))
    row = Subscription.objects.filter(account=account).order_by("-id").first()
    verb = chance.choice(
        (
            "subscribe",
            "upgrade",
            "upgrade",
            "downgrade",
            "lower",
            "cancel",
            "end",
            "resume",
            "pause",
            "fail",
            "pay",
            "go",
            "use",
        )
    )
    how: dict[str, Any] = {"cause": WHO, "at": now}
    try:
        if verb == "use":
            return str(spend(account, chance.randint(1, 400), at=now).balance_after)
        if verb == "go":
            owner = Owner(account.external_id, "credits")
            gone = by_account.go_to_plan(owner=owner, plan=plan, **how)
            return gone.status if gone else "none"
        if verb == "subscribe" or row is None:
            trial = chance.random() < 0.4
            return subscriptions.subscribe(account=account.pk, plan=plan, trial=trial, **how).status
        calls = {
            "upgrade": lambda: subscriptions.upgrade(subscription=row.pk, plan=plan, **how),
            "downgrade": lambda: subscriptions.downgrade(subscription=row.pk, plan=plan, **how),
            "lower": lambda: subscriptions.downgrade(subscription=row.pk, plan=plan, at_once=True, **how),
            "cancel": lambda: subscriptions.cancel(subscription=row.pk, **how),
            "end": lambda: subscriptions.cancel(subscription=row.pk, at_period_end=False, **how),
            "resume": lambda: subscriptions.resume(subscription=row.pk, **how),
            "pause": lambda: subscriptions.pause(subscription=row.pk, **how),
            "fail": lambda: subscriptions.mark_past_due(subscription=row.pk, **how),
            "pay": lambda: subscriptions.mark_paid(subscription=row.pk, **how),
        }
        return calls[verb]().status
    except Refusal as refusal:
        return refusal.code


def live(seed: int, *, clock: bool) -> Iterator[object]:
    """Live half a year. Yields what was told on the way, and in the end what stands in the books."""
    chance, ticks = random.Random(seed), random.Random(seed + 1)
    account = make_account(external_id="ada", time_zone=chance.choice(("UTC", "Asia/Tokyo")), at=at("01-01"))
    now = at("01-01")
    while now < at("07-01"):
        now += timedelta(seconds=chance.randint(0, 9 * 24 * 3600))
        if clock:
            for _ in range(ticks.randint(0, 2)):
                moment = now - timedelta(seconds=ticks.randint(0, 3600))
                for job in (settle_due_subscriptions, issue_due_allotments, expire_due_lots):
                    job(at=moment)
        standing = queries.current_subscription(account.pk, at=now)
        yield (now, standing.status, standing.version and str(standing.version), act(chance, account, now))
        account.refresh_from_db()
        assert account.balance >= 0
        assert audit() == {}
    settle_account(account=account.pk, at=at("07-20"))
    settle_due_subscriptions(at=at("07-20"))
    yield from Transaction.objects.order_by("sequence").values_list("kind", "amount", "balance_after", "description")
    yield from Grant.objects.order_by("opening_sequence").values_list("amount", "remaining", "expires_at", "category")
    yield from SubscriptionChange.objects.order_by("pk").values_list("verb", "at", "to_status", "metadata")
    yield from CreditMonth.objects.order_by("pk").values_list("starts_at", "ends_at", "accrued", "granted")
    yield from Account.objects.values_list("balance", "allowance", "allowance_ends_at", "next_allowance")


@pytest.mark.parametrize("seed", range(8))
def test_the_same_with_and_without_a_clock(database: None, seed: int) -> None:
    make_plans()
    make_plan("BASIC", 5, monthly_credits=70, trial_days=3)
    make_plan("YEAR", 20, interval="year", monthly_credits=900, rollover_cap=100, grace_days=40)
    make_plan("SEAT", 7, price_minor=500)
    before = transaction.savepoint()
    without = list(live(seed, clock=False))
    transaction.savepoint_rollback(before)

    assert list(live(seed, clock=True)) == without
