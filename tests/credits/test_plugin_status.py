"""Whether a plugin may be used: kept in Valkey, and never past a change of ours, whatever becomes of Valkey."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import redis
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from credits import refusals
from credits.models import Account
from credits.plan import Owner
from credits.services import accounts, plugin_status
from dev import processes
from dev.valkey import Valkey
from tests.factories import give, make_account, spend


@pytest.fixture
def valkey(tmp_path: Path, settings: Any) -> Iterator[Valkey]:
    """A Valkey of the test's own."""
    own = Valkey(tmp_path)
    own.start()
    settings.REDIS_URL = own.url
    plugin_status._server.cache_clear()
    plugin_status._alone_until = 0.0
    yield own
    own.stop()
    plugin_status._server.cache_clear()
    plugin_status._alone_until = 0.0


@pytest.fixture
def merchant(committed: None, valkey: Valkey) -> Account:
    return make_account(external_id="merchant", balance=10)


def asked(account: Account) -> tuple[bool, int]:
    status = plugin_status.plugin_status(account.pk)
    return status.enabled, int(status.balance)


def kill(valkey: Valkey) -> None:
    for pid in processes.living_in(valkey.folder, "-server"):
        os.kill(pid, signal.SIGKILL)
    assert processes.wait_until(lambda: not valkey.running(), 10)


class TestTheStatus:
    def test_is_told_by_valkey_the_second_time(self, merchant: Account) -> None:
        assert asked(merchant) == (True, 10)
        with CaptureQueriesContext(connection) as queries:
            assert asked(merchant) == (True, 10)

        assert len(queries) == 0

    def test_is_never_that_from_before_a_change(self, merchant: Account) -> None:
        for left in range(9, -1, -1):
            asked(merchant)
            spend(merchant, 1)
            assert asked(merchant) == (left > 0, left)
        give(merchant, 3)
        assert asked(merchant) == (True, 3)
        accounts.freeze_account(account=merchant.pk, reason="checks")
        assert asked(merchant) == (False, 3)
        accounts.unfreeze_account(account=merchant.pk)
        assert asked(merchant) == (True, 3)
        spend(merchant, 3)
        limit = accounts.Particulars(overdraft_limit=Decimal(5))
        assert asked(merchant) == (False, 0)
        accounts.change_account(account=merchant.pk, particulars=limit)
        assert asked(merchant) == (True, 0)

    def test_ends_with_its_time(self, merchant: Account, valkey: Valkey) -> None:
        asked(merchant)
        with redis.Redis.from_url(valkey.url) as server:
            assert 0 < int(server.pttl(plugin_status._key(merchant.pk))) <= 15_000

    def test_costs_whoever_is_not_asked_for_nothing(self, merchant: Account, valkey: Valkey) -> None:
        spend(merchant, 1)

        with redis.Redis.from_url(valkey.url) as server:
            assert server.keys() == []

    def test_of_nobody_is_refused(self, committed: None, valkey: Valkey) -> None:
        with pytest.raises(refusals.UnknownAccount):
            plugin_status.plugin_status(Owner("nobody", "credits").account)

    def test_may_be_asked_of_the_books_every_time(self, merchant: Account, valkey: Valkey, settings: Any) -> None:
        settings.PLUGIN_STATUS_CACHE_TTL = 0
        assert asked(merchant) == (True, 10)

        with redis.Redis.from_url(valkey.url) as server:
            assert server.keys() == []

    def test_that_was_read_before_a_change_does_not_take_the_newer_ones_place(self, merchant: Account) -> None:
        asked(merchant)
        merchant.refresh_from_db()
        spend(merchant, 10)

        plugin_status._put(merchant.pk, merchant.version, "1:10", 15)

        assert asked(merchant) == (False, 0)


class TestWithoutValkey:
    def test_postgresql_tells_it(self, merchant: Account, valkey: Valkey) -> None:
        asked(merchant)
        kill(valkey)
        spend(merchant, 10)
        assert asked(merchant) == (False, 0)

        valkey.start()
        plugin_status._alone_until = 0.0
        assert asked(merchant) == (False, 0)

    def test_it_is_right_at_every_moment_of_flushing_and_killing(self, merchant: Account, valkey: Valkey) -> None:
        give(merchant, 290)
        stop, wrong = threading.Event(), list[tuple[int, int]]()
        spent = [300]

        def ask() -> None:
            while not stop.is_set():
                before = spent[0]
                told = asked(merchant)[1]
                if told > before:
                    wrong.append((told, before))
            connections.close_all()

        askers = [threading.Thread(target=ask) for _ in range(3)]
        for asker in askers:
            asker.start()
        for left in range(299, -1, -1):
            spend(merchant, 1)
            # From here on nobody may be told more.
            spent[0] = left
            if left % 20 == 0:
                with redis.Redis.from_url(valkey.url) as server:
                    server.flushall()
            if left in {200, 100}:
                kill(valkey)
                valkey.start()
        stop.set()
        for asker in askers:
            asker.join()

        assert wrong == []
        assert asked(merchant) == (False, 0)
