"""What a caller sees while somebody else holds an account, and what a lock leaves free."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest
from django.db import connection, connections, transaction

from credits.models import Account, Transaction
from credits.plan import Movement
from credits.services import locks, movements, once, postings
from tests.conftest import Api
from tests.factories import make_account, memo, spend
from tests.processes import until_somebody_waits


@contextmanager
def somebody_holds(account: Account) -> Iterator[Callable[[Callable[[], object]], None]]:
    """Hold an account's lock in another session until the block is left.

    Yields a function that has that session do something more before it lets go.
    """
    locked, done = threading.Event(), threading.Event()
    more: list[Callable[[], object]] = []

    def hold() -> None:
        with transaction.atomic():
            Account.objects.select_for_update(no_key=True).get(pk=account.pk)
            locked.set()
            done.wait()
            for act in more:
                act()
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    locked.wait()
    try:
        yield more.append
    finally:
        done.set()
        thread.join()


@pytest.fixture
def alice(committed: None) -> Account:
    return make_account(external_id="alice", balance=100)


def test_a_request_in_flight_is_a_409_with_retry_after(alice: Account, api: Api) -> None:
    with somebody_holds(alice):
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
        answer = api.post("/api/v1/accounts/alice/debits", {"amount": 7}, once="k")
    with connection.cursor() as cursor:
        cursor.execute("RESET lock_timeout")

    assert (answer.status_code, answer.json()["code"], answer.headers["Retry-After"]) == (
        409, "request_in_progress", "1",
    )  # fmt: skip
    assert api.post("/api/v1/accounts/alice/debits", {"amount": 7}, once="k").status_code == 201


def test_reads_do_not_wait(alice: Account, api: Api) -> None:
    with somebody_holds(alice):
        assert api.get("/api/v1/accounts/alice/balance").json()["balance"] == 100
        assert api.get("/api/v1/accounts/alice").status_code == 200
        assert api.get("/api/v1/accounts/alice/statement").status_code == 200


def test_a_crash_before_the_commit_leaves_nothing_and_the_retry_does_it(
    alice: Account, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = postings.post

    def dies(*args, **kwargs):
        real(*args, **kwargs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("credits.services.movements.post", dies)
        with pytest.raises(KeyboardInterrupt):
            api.post("/api/v1/accounts/alice/debits", {"amount": 7}, once="k")
    assert Transaction.objects.filter(kind="usage").count() == 0

    assert api.post("/api/v1/accounts/alice/debits", {"amount": 7}, once="k").status_code == 201
    assert Account.objects.get().balance == 93


def test_a_deadlock_is_retried(alice: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """A victim of PostgreSQL's deadlock detector tries again: made here by two sessions that lock crosswise."""
    other = make_account(external_id="bob", balance=100)
    real, crossed = locks.lock_accounts, threading.Barrier(2)
    tries: list[int] = []

    def lock_then_cross(ids, **kwargs):
        tries.append(1)
        sheets = real(ids, **kwargs)
        if len(tries) == 1:
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL deadlock_timeout = '10ms'")
            crossed.wait()
            Account.objects.select_for_update(no_key=True).get(pk=other.pk)
        return sheets

    def rival() -> None:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL deadlock_timeout = '1min'")
            Account.objects.select_for_update(no_key=True).get(pk=other.pk)
            crossed.wait()
            Account.objects.select_for_update(no_key=True).get(pk=alice.pk)
        connections.close_all()

    monkeypatch.setattr("credits.services.movements.lock_accounts", lock_then_cross)
    thread = threading.Thread(target=rival)
    thread.start()
    movement = movements.spend_credits(account=alice.pk, amount=Account.objects.get(pk=alice.pk).balance, memo=memo())
    thread.join()

    assert (len(tries), movement.balance_after) == (2, 0)
    assert once.ATTEMPTS == 4


def test_a_waiter_sees_what_the_lock_protected(alice: Account) -> None:
    """The statement that waits began before the other spend was committed; what it reads is of after it."""
    first = spend(alice, 1)
    with somebody_holds(alice) as release:
        outcomes: list[Movement] = []

        def wait() -> None:
            outcomes.append(spend(alice, 10))
            connections.close_all()

        waiting = threading.Thread(target=wait)
        waiting.start()
        until_somebody_waits()
        release(lambda: movements.spend_credits(account=alice.pk, amount=Decimal(20), memo=memo()))
    waiting.join()

    assert (outcomes[0].sequence, outcomes[0].balance_before, outcomes[0].balance_after) == (4, 79, 69)
    assert outcomes[0].draws == [(first.draws[0][0], -10)]
