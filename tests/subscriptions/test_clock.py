"""The clock: fired never, once, twice, or days late, it ends in the same books."""

from __future__ import annotations

from datetime import timedelta
from threading import Event

import pytest
from django.db import transaction

from credits.models import Account, Grant, Transaction
from credits.services.accounts import close_account, freeze_account
from credits.services.expiry import expire_due_lots, issue_due_allotments, settle_account
from credits.services.locks import lock_account
from subscriptions import queries
from subscriptions.models import Subscription, SubscriptionChange
from subscriptions.services.settling import settle_due_subscriptions, settle_subscription
from tests.factories import make_account, memo, spend
from tests.subscriptions.factories import at, balance, cancel, downgrade, limit, make_plans, subscribe, upgrade, verb
from tests.threads import at_once

END = at("04-20 07:00")


def cast() -> list[Account]:
    """Eight subscribers of different fates."""
    accounts = [make_account(external_id=f"owner-{number}", at=at("01-01")) for number in range(8)]
    rows = [
        subscribe(accounts[0], "PRO", "01-31"),
        subscribe(accounts[1], "PRO", "01-02", trial=True),
        subscribe(accounts[2], "PREMIUM", "01-03"),
        subscribe(accounts[3], "PRO", "01-04"),
        subscribe(accounts[4], "PRO", "01-05"),
        subscribe(accounts[5], "PREMIUM", "01-06"),
        subscribe(accounts[6], "PRO", "01-07"),
        subscribe(accounts[7], "PRO", "01-08", trial=True),
    ]
    downgrade(rows[2], "PRO", "01-31")
    cancel(rows[3], "01-31")
    verb("mark_past_due", rows[4], "02-03")
    verb("pause", rows[5], "01-31")
    upgrade(rows[6], "PREMIUM", "01-31")
    return accounts


def pass_time(runs_a_day: int, late: timedelta) -> None:
    now = at("02-04")
    while runs_a_day and now < END:
        for _ in range(runs_a_day):
            for job in (settle_due_subscriptions, issue_due_allotments, expire_due_lots):
                job(at=now)
        now += timedelta(days=1) + late


def told() -> list[object]:
    """Return what a reader of the books is told: movements, lots, subscriptions and their history."""
    for account in Account.objects.all():
        settle_account(account=account.pk, at=END)
    settle_due_subscriptions(at=END)
    movements = Transaction.objects.order_by("account__external_id", "sequence")
    lots = Grant.objects.order_by("account__external_id", "opening_sequence")
    rows = Subscription.objects.order_by("account__external_id")
    changes = SubscriptionChange.objects.order_by("subscription__account__external_id", "pk")
    access = Account.objects.order_by("external_id")
    return [
        list(movements.values_list("account__external_id", "sequence", "kind", "amount", "balance_after")),
        list(lots.values_list("account__external_id", "amount", "remaining", "expires_at")),
        list(rows.values_list("status", "plan_version__plan", "current_period_end", "ended_at", "next_due_at")),
        list(changes.values_list("verb", "at", "from_status", "to_status", "to_version__plan", "metadata")),
        list(access.values_list("external_id", "balance", "allowance", "allowance_ends_at", "next_allowance")),
    ]


@pytest.mark.parametrize(
    ("runs_a_day", "late"),
    [(1, timedelta(0)), (2, timedelta(0)), (1, timedelta(days=3)), (1, timedelta(days=25, hours=5))],
)
def test_ends_in_the_same_books_as_no_clock_at_all(plans: None, runs_a_day: int, late: timedelta) -> None:
    before = transaction.savepoint()
    cast()
    without = told()
    transaction.savepoint_rollback(before)

    cast()
    pass_time(runs_a_day, late)

    assert told() == without


def test_what_is_read_needs_no_clock(ada: Account) -> None:
    row = subscribe(ada, "PRO", "01-01", trial=True)
    cancel(row, "01-20")

    for moment, status in (("01-20", "active"), ("02-14", "active"), ("02-15", "canceled")):
        assert queries.subscription_now(row.pk, at=at(moment))[1].status == status
    assert queries.current_subscription(ada.pk, at=at("02-15")).subscription is None


def test_one_whose_account_is_busy_is_left_to_the_next_run(committed: None) -> None:
    make_plans()
    busy, idle = (make_account(external_id=name, at=at("01-01")) for name in ("busy", "idle"))
    for account in (busy, idle):
        subscribe(account, "PRO", "01-01")
    holding, done = Event(), Event()

    def hold() -> None:
        with transaction.atomic():
            lock_account(busy.pk, once=None, at=None)
            holding.set()
            done.wait(10)

    def run() -> int:
        holding.wait(10)
        try:
            return settle_due_subscriptions(at=at("02-02"))
        finally:
            done.set()

    assert at_once([hold, run])[1] == 1
    assert settle_due_subscriptions(at=at("02-02")) == 1


def test_two_runs_at_once_settle_each_once(committed: None) -> None:
    make_plans()
    for number in range(10):
        subscribe(make_account(external_id=f"owner-{number}", at=at("01-01")), "PRO", "01-01")

    at_once([lambda: settle_due_subscriptions(at=at("03-02"))] * 2)
    settle_due_subscriptions(at=at("03-02"))

    assert SubscriptionChange.objects.filter(verb="renew").count() == 20


def test_a_closed_account_has_no_subscription(ada: Account) -> None:
    row = subscribe(ada, "PRO", "01-01")
    close_account(account=ada.pk, memo=memo(reason="closing"), forfeit=True, at=at("01-10"))

    assert queries.current_subscription(ada.pk, at=at("01-10")).status == "active"
    assert queries.current_subscription(ada.pk, at=at("01-10")).subscription is None
    assert settle_due_subscriptions(at=at("02-01")) == 1
    row.refresh_from_db()
    assert (row.status, row.next_due_at) == ("canceled", None)
    assert balance(ada, "03-01") == 0


def test_a_frozen_account_keeps_its_periods(ada: Account) -> None:
    row = subscribe(ada, "PRO", "01-01")
    spend(ada, 10, at=at("01-02"))
    freeze_account(account=ada.pk, reason="Suspected fraud")

    assert settle_subscription(subscription=row.pk, at=at("12-20")).status == "active"
    assert limit(ada, "12-20") == 5
