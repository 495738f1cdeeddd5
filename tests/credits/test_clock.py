"""The clock's jobs: through a real Celery worker on a real broker, with none at all, and however late."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest
from django.utils import timezone

from config.celery import app
from credits import refusals
from credits.models import Account, Grant, Hold, TaskRun, Transaction
from credits.services import expiry, movements
from credits.tasks import TASKS
from tests.factories import give, hold, make_account, memo, spend
from tests.processes import celery, until
from tests.threads import at_once

DAY = timedelta(days=1)
BEGIN = datetime(2099, 1, 1, tzinfo=UTC)
END = BEGIN + 30 * DAY


@pytest.fixture
def worker(committed: None) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process on the test database."""
    with celery("worker", "--pool", "solo") as process:
        yield process


def lapse(account: Account) -> None:
    """Give an account a lot and a hold that fell due in the meantime, as seen by the clock that runs now."""
    past = timezone.now() - timedelta(hours=2)
    give(account, 50, at=past, expires_at=past + timedelta(hours=1))
    give(account, 5, at=past)
    hold(account, 5, at=past, lasting=timedelta(hours=1), abandonment_charge=2)


def lapsed() -> Account:
    account = make_account(at=timezone.now() - timedelta(hours=3))
    lapse(account)
    return account


def settled(account: Account) -> bool:
    account.refresh_from_db()
    return account.next_due_at is None


def test_a_worker_does_what_is_due_and_says_so(worker: subprocess.Popen[bytes]) -> None:
    account = lapsed()

    with app.connection_for_write() as broker:
        app.send_task("florin.expire_lots", connection=broker)
        app.send_task("florin.time_out_holds", connection=broker)
    until(lambda: TaskRun.objects.exclude(finished_at=None).count() == 2, "The worker did not run both jobs.")

    assert settled(account)
    kinds = Transaction.objects.order_by("sequence").values_list("kind", "amount")
    assert list(kinds)[2:] == [("capture", -2), ("expiry", -48)]
    runs = TaskRun.objects.order_by("started_at").values_list("job", "kind", "done", "error")
    assert list(runs) == [("expire_lots", "worker", 1, ""), ("time_out_holds", "worker", 0, "")]
    assert worker.poll() is None


class TestWithoutAWorker:
    def test_twice_does_no_more_than_once(self, database: None) -> None:
        lapsed()

        assert [TASKS[name]() for name in ("expire_lots", "time_out_holds", "expire_lots")] == [1, 0, 0]
        assert Hold.objects.get().status == "timed_out"
        assert Transaction.objects.filter(kind="expiry").count() == 1

    def test_several_at_once_do_it_once(self, committed: None) -> None:
        accounts = [lapsed() for _ in range(30)]

        done = at_once([expiry.expire_due_lots, expiry.time_out_due_holds] * 3)

        # A slice that one has locked is nobody else's.
        assert sum(count for count in done if isinstance(count, int)) == 30
        assert all(settled(account) for account in accounts)
        assert Counter(Transaction.objects.values_list("kind", flat=True)) == {
            "topup": 60, "capture": 30, "expiry": 30,
        }  # fmt: skip

    def test_the_audit_names_an_offender_in_the_log(
        self, committed: None, alice: Account, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert TASKS["audit_books"]() == 0
        Account.objects.filter(pk=alice.pk).update(debt=1)

        assert TASKS["audit_books"]() == 1

        Account.objects.filter(pk=alice.pk).update(debt=0)
        assert "alice@example.com" in caplog.text
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        assert "alice@example.com" in TaskRun.objects.latest("started_at").detail


def live(seed: int, beats: dict[int, int]) -> tuple[Account, list[str]]:
    """Let an account live through a random month, with beat firing so often on each day. Tells what became of it.

    In the end it is touched once more, as by the next request.
    """
    chance = Random(seed)
    account = make_account(at=BEGIN)
    lived = []
    for day in range(30):
        now = BEGIN + day * DAY
        for _ in range(beats.get(day, 0)):
            expiry.expire_due_lots(at=now)
            expiry.time_out_due_holds(at=now)
        lived += [act(chance, account, now + timedelta(hours=hour)) for hour in (1, 2)]
    expiry.settle_account(account=account.pk, at=END)
    return account, lived


def act(chance: Random, account: Account, at: datetime) -> str:
    """Do something by chance. Returns what came of it."""
    amount, days = chance.randint(1, 40), timedelta(hours=chance.randint(2, 200))
    what = chance.choice(["give", "give", "give", "hold", "hold", "spend", "spend", "take back", "nothing"])
    charge = chance.randint(0, amount)
    try:
        match what:
            case "give":
                ends = chance.choice([at + days, at + days, END + DAY])
                return f"gave, {give(account, amount, at=at, expires_at=ends).balance_after}"
            case "hold":
                return f"held {hold(account, amount, at=at, lasting=days, abandonment_charge=charge).amount}"
            case "spend":
                return f"spent, {spend(account, amount, at=at).balance_after}"
            case "take back":
                because = memo(reason="fraud")
                taken = movements.adjust_balance(
                    account=account.pk, delta=-Decimal(amount), memo=because, allow_debt=True, at=at
                )
                return f"took {taken.amount}, {taken.balance_after}"
    except refusals.InsufficientCredits as refused:
        return f"refused {what}: {refused.members['available']} available"
    return what


def books_of(account: Account) -> dict[str, object]:
    """Return where an account stands, and what it moved: by kind, for one expiry may come in two parts."""
    account.refresh_from_db()
    moved: dict[str, Decimal] = {}
    for kind, amount in Transaction.objects.filter(account=account).values_list("kind", "amount"):
        moved[kind] = moved.get(kind, Decimal(0)) + amount
    return {
        "account": (account.balance, account.held, account.debt),
        "moved": moved,
        "lots": list(Grant.objects.filter(account=account).order_by("id").values_list("remaining", "held")),
        "holds": list(Hold.objects.filter(account=account).order_by("id").values_list("status", "captured")),
    }


@pytest.mark.parametrize("seed", range(6))
def test_the_books_do_not_depend_on_when_beat_fires(database: None, seed: int) -> None:
    never, told = live(seed, {})
    others = {
        "once": dict.fromkeys(range(30), 1),
        "twice": dict.fromkeys(range(30), 2),
        "three days late": dict.fromkeys(range(3, 30, 4), 1),
    }

    assert Transaction.objects.filter(kind__in=["expiry", "capture"]).exists()
    for name, beats in others.items():
        account, lived = live(seed, beats)
        assert lived == told, name
        assert books_of(account) == books_of(never), name
