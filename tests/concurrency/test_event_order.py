"""The order in which events may be read, on real sessions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connections, transaction

from credits.models import Event
from credits.services.events import Told, read_events, settle, settled
from tests.factories import make_account, spend
from tests.threads import at_once


@contextmanager
def uncommitted(act: Callable[[], object]) -> Iterator[None]:
    """Do something in a session of its own, which commits when the block is left."""
    done, leave = threading.Event(), threading.Event()

    def run() -> None:
        with transaction.atomic():
            act()
            done.set()
            leave.wait()
        connections.close_all()

    session = threading.Thread(target=run)
    session.start()
    done.wait()
    try:
        yield
    finally:
        leave.set()
        session.join()


def settle_all() -> int:
    """Settle until the newest event is settled."""
    newest = Event.objects.values_list("pk", flat=True)[0]
    while settle() < newest:
        pass
    return settled()


class TestSessionsThatCommitOutOfOrder:
    def test_hide_nothing_from_who_reads_to_the_horizon(self, committed: None) -> None:
        early, late = make_account(external_id="early", balance=10), make_account(external_id="late", balance=10)
        before = settle_all()

        with uncommitted(lambda: spend(early, 1)):
            spend(late, 1)
            assert [settle() for _ in range(5)] == [before] * 5

        found = read_events(after=before, upto=settle_all(), most=10)
        assert [event.account_id for event in found] == [early.pk, late.pk]

    def test_let_pass_what_was_told_before_them(self, committed: None) -> None:
        account, other = make_account(balance=10), make_account(balance=10)
        spend(account, 1)
        newest = Event.objects.values_list("pk", flat=True)[0]
        settle()

        with uncommitted(lambda: spend(other, 1)):
            assert settle() == newest

    def test_each_account_is_in_the_order_of_its_books(self, committed: None) -> None:
        accounts = [make_account(external_id=f"owner-{number}", balance=100) for number in range(3)]
        seen: list[Told] = []
        reading = threading.Event()

        def read() -> None:
            while not reading.is_set():
                seen.extend(read_events(after=seen[-1].id if seen else 0, upto=settle(), most=7))
            connections.close_all()

        reader = threading.Thread(target=read)
        reader.start()
        at_once([lambda: [spend(account, 1) for account in accounts * 10] for _ in range(4)])
        reading.set()
        reader.join()
        upto = settle_all()
        while found := read_events(after=seen[-1].id if seen else 0, upto=upto, most=7):
            seen.extend(found)

        assert [event.id for event in seen] == list(Event.objects.order_by("pk").values_list("pk", flat=True))
        for account in accounts:
            numbers = [each.payload["sequence"] for each in seen
                       if each.account_id == account.pk and each.type == "evt.credits.consumed"]  # fmt: skip
            assert numbers == list(range(2, 42))
