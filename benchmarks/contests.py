"""The figures, each a contest of rivals that take turns."""

from __future__ import annotations

import http.client
import itertools
import json
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from django.db import connection
from django.test import Client

from benchmarks import floor, history
from benchmarks.load import HOST, alternate
from benchmarks.report import Figure
from benchmarks.scene import BODY, CONNECTIONS, MANY, Scene, many
from benchmarks.serving import WORKERS
from credits import queries
from credits.models.accounts import account_id
from credits.services.batch import MOST_ITEMS

Say = Callable[[str], None]
LONG, LONGEST, SHORT = 100_000, 1_000_000, 1_000
BATCH_ACCOUNTS = 100


@dataclass
class Contests:
    """The contests on one scene: ``rounds`` turns each."""

    scene: Scene
    rounds: int
    say: Say
    longest: int = LONGEST
    long_accounts: int = CONNECTIONS
    written: set[str] = field(default_factory=set)

    def run(self, wanted: set[str]) -> list[Figure]:
        """Run the contests that the wanted figures need, and return the figures."""
        found: list[Figure] = []
        for contest, names in (
            (self._spread, {"debit", "floor"}),
            (self._long, {"history"}),
            (self._hot, {"hot"}),
            (self._batch, {"batch"}),
            (self._latency, {"latency"}),
            (self._past, {"past"}),
        ):
            if wanted & names:
                self.say(f"Measuring {', '.join(sorted(names))}")
                found += contest()
        return [figure for figure in found if figure.name in wanted]

    def _spread(self) -> list[Figure]:
        """Many accounts, hardly any history: nobody waits for another's lock."""
        self.accounts(many(), 1)
        self._floor_accounts(MANY)
        self._naive(many(), 1)
        self.scene.debits(many())
        self.scene.deducts(many())
        turns = [
            (
                self.scene.debits(many()).rate,
                self.scene.deducts(many()).rate,
                self._pgbench((0, MANY - 1)),
            )
            for _ in range(self.rounds)
        ]
        ours, naive, bound = (statistics.median(rates) for rates in zip(*turns, strict=True))
        return [
            Figure("debit", "our debit ÷ naive deduct, empty history", [a / b for a, b, _ in turns], 1.0,
                   detail={"ours/s": ours, "naive/s": naive}),
            Figure("floor", "our debit ÷ pgbench, 8 connections", [a / c for a, _, c in turns], 0.25,
                   detail={"ours/s": ours, "pgbench/s": bound}),
        ]  # fmt: skip

    def _long(self) -> list[Figure]:
        """A long history on every account, and an account for each connection: nobody waits for a lock."""
        owners = [f"long-{number}" for number in range(self.long_accounts)]
        self.accounts(owners, LONG)
        self._naive(owners, LONG)
        self.scene.debits(owners)
        self.scene.deducts(owners)
        turns = [(self.scene.debits(owners).rate, self.scene.deducts(owners).rate) for _ in range(self.rounds)]
        ours, naive = (statistics.median(rates) for rates in zip(*turns, strict=True))
        says = f"our debit ÷ naive deduct, {LONG:,} rows on the account"
        return [Figure("history", says, [a / b for a, b in turns], 5, detail={"ours/s": ours, "naive/s": naive})]

    def _hot(self) -> list[Figure]:
        """Every connection debits one account, so they queue for its lock."""
        self.accounts(["hot"], 1)
        self._floor_accounts(MANY)
        self.scene.debits(["hot"])
        turns = [(self.scene.debits(["hot"]).rate, self._pgbench((MANY, MANY))) for _ in range(self.rounds)]
        ours, bound = (statistics.median(rates) for rates in zip(*turns, strict=True))
        says = "one hot account, our debit ÷ pgbench"
        return [Figure("hot", says, [a / b for a, b in turns], 0.4, detail={"ours/s": ours, "pgbench/s": bound})]

    def _batch(self) -> list[Figure]:
        """Batches by two callers a worker, each on accounts of its own: while one is planned another is written."""
        self.accounts(many(), 1)
        makers = [self._batch_maker(number) for number in range(2 * WORKERS)]
        self._batches(makers)
        self.scene.debits(many())
        turns = [(self._batches(makers), self.scene.debits(many()).rate) for _ in range(self.rounds)]
        batch, single = (statistics.median(rates) for rates in zip(*turns, strict=True))
        says = f"batches of {MOST_ITEMS:,}: movements/s ÷ single debits/s"
        detail = {"in batches/s": batch, "single/s": single}
        return [Figure("batch", says, [a / b for a, b in turns], 15, detail=detail)]

    def _latency(self) -> list[Figure]:
        """One caller, who debits a long and a short account by turns."""
        self.accounts([f"longest-{self.longest}"], self.longest)
        self.accounts(["short"], SHORT)
        rivals = [self.scene.debit(f"longest-{self.longest}"), self.scene.debit("short")]
        alternate(self.scene.ours.port, rivals, 201, each=100)
        turns = [
            [statistics.median(times) for times in alternate(self.scene.ours.port, rivals, 201, each=150)]
            for _ in range(self.rounds)
        ]
        detail = {"ms": statistics.median(turn[0] for turn in turns) * 1e3}
        says = f"debit latency, {self.longest:,} rows ÷ {SHORT:,} rows"
        return [Figure("latency", says, [a / b for a, b in turns], 1.2, at_most=True, detail=detail)]

    def _past(self) -> list[Figure]:
        """The database's own time for the statement behind ``balance?at=``, at moments all over a long history."""
        owner = f"longest-{self.longest}"
        self.accounts([owner], self.longest)
        now = datetime.now(UTC)
        moments = [now - history.SPAN * random.random() for _ in range(20 * self.rounds)]
        took: list[float] = []
        planned: list[float] = []
        for at in moments:
            with floor.caught() as statements:
                queries.balance_at(account_id(owner, "credits"), at)
            with connection.cursor() as cursor:
                sql, params = statements[0]
                cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
                told: Any = cursor.fetchone()
            plan = json.loads(told[0]) if isinstance(told[0], str) else told[0]
            took.append(plan[0]["Execution Time"])
            planned.append(plan[0]["Planning Time"])
        says = f"balance?at= over {self.longest:,} rows, database ms"
        detail = {"planning ms": statistics.median(planned), "slowest ms": max(took)}
        return [Figure("past", says, took, 2.0, at_most=True, detail=detail)]

    # --- What the contests are made of ---

    def accounts(self, external_ids: list[str], rows: int) -> None:
        """Write our accounts' histories, once."""
        if external_ids[0] not in self.written:
            self.written.add(external_ids[0])
            if rows >= LONG:
                self.say(f"Writing {rows:,} rows on each of {len(external_ids)}")
            history.write_history([(account_id(one, "credits"), one) for one in external_ids], rows)
            self._analyze("credits_account", "credits_grant", "credits_transaction")

    def _naive(self, user_ids: list[str], rows: int) -> None:
        history.write_naive_history(user_ids, rows)
        self._analyze("naive_movement")

    def _analyze(self, *tables: str) -> None:
        """Do now what autovacuum would do to either rival in the middle of a round."""
        with connection.cursor() as cursor:
            for table in tables:
                cursor.execute(f"VACUUM ANALYZE {table}")

    def _floor_accounts(self, count: int) -> None:
        """Write the floor's accounts, once: so many, and one more that will be hot."""
        if "floor" not in self.written:
            self.written.add("floor")
            history.write_history([(floor.floor_id(one), f"floor-{one}") for one in range(count + 1)], 1)
            self._analyze("credits_account", "credits_grant", "credits_transaction")

    @cached_property
    def _script(self) -> floor.Script:
        """The statements of a debit, caught while one runs here. The second is taken: the first fills caches."""
        self.accounts(["caught"], 1)
        client = Client(SERVER_NAME=HOST, headers={"Authorization": f"Bearer {self.scene.token}"})
        for number in range(2):
            with floor.caught() as statements:
                key = f"florin-bench-caught-{number}"
                answer = client.post(
                    "/api/v1/accounts/caught/debits",
                    json.dumps(BODY),
                    content_type="application/json",
                    headers={"Idempotency-Key": key},
                )
            if answer.status_code != 201:
                raise floor.FloorError(f"A debit was answered {answer.status_code}: {answer.content!r}")
        script = floor.script_of(statements, owner="bench", key=key)
        (self.scene.folder / "debit.sql").write_text(script.text)
        return script

    def _pgbench(self, accounts: tuple[int, int]) -> float:
        constants = self._script.constants
        return floor.run_pgbench(
            self.scene.folder / "debit.sql",
            constants,
            accounts=accounts,
            seconds=max(1, round(self.scene.seconds)),
            clients=CONNECTIONS,
        )

    def _batch_maker(self, number: int) -> Callable[[], http.client.HTTPConnection]:
        """Return a sender of batches over a connection and accounts of its own."""
        connection = http.client.HTTPConnection(HOST, self.scene.ours.port, timeout=60)
        owners = many()[number * BATCH_ACCOUNTS : (number + 1) * BATCH_ACCOUNTS]
        items = [
            {"type": "debit", "account": owner, **BODY}
            for owner in itertools.islice(itertools.cycle(owners), MOST_ITEMS)
        ]
        body = json.dumps({"items": items}, separators=(",", ":"))
        headers = {"Authorization": f"Bearer {self.scene.token}", "Content-Type": "application/json"}

        def send() -> http.client.HTTPConnection:
            key = f"florin-bench-{next(self.scene.counter)}"
            connection.request("POST", "/api/v1/batches", body, {**headers, "Idempotency-Key": key})
            return connection

        return send

    def _batches(self, makers: list[Callable[[], http.client.HTTPConnection]]) -> float:
        """Send batches at once, one a caller, and return movements a second."""
        before = self.scene.ours.cpu_seconds()
        start = time.perf_counter()
        for sent in [make() for make in makers]:
            answer = sent.getresponse()
            body = answer.read()
            if answer.status != 200 or body.count(b'"status":201') != MOST_ITEMS:
                raise RuntimeError(f"A batch was answered {answer.status}: {body[:600]!r}")
        took = time.perf_counter() - start
        movements = len(makers) * MOST_ITEMS
        self.scene.note_cpu("batch", before, self.scene.ours.cpu_seconds(), movements)
        return movements / took
