"""What prices, quotas, statistics and the clock cost: contests against a plain debit, and times of their own."""

from __future__ import annotations

import statistics as figures_of
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.db import connection

from benchmarks.contests import Contests
from benchmarks.report import Figure
from benchmarks.scene import many
from credits import statistics
from credits.models import Account, QuotaPeriod
from credits.models.accounts import account_id
from credits.plan.windows import Period
from credits.services import expiry
from credits.services.prices import Offer, add_prices
from credits.services.totals import fold_totals

# Each account has a quota a day on the feature, and one a month on everything: as a plan would give.
QUOTAS = """
    INSERT INTO credits_quota (account_id, feature, period, measure, "limit", hard, override_reason, used,
        since_sequence, window_start, resets_at)
    SELECT a.id, q.feature, q.period, q.measure, 1000000, true, '', 0, a.sequence,
        date_trunc(q.trunc, now()), date_trunc(q.trunc, now()) + q.lasts::interval
    FROM credits_account a,
        (VALUES ('answer', 'daily', 'quantity', 'day', '1 day'), ('', 'monthly', 'credits', 'month', '1 month'))
            AS q (feature, period, measure, trunc, lasts)
    WHERE a.external_id = ANY(%s)
"""
# Accounts whose windows closed yesterday, each with a use that they counted.
DUE = """
    INSERT INTO credits_quota (account_id, feature, period, measure, "limit", hard, override_reason, used,
        since_sequence, window_start, resets_at)
    SELECT a.id, '', 'daily', 'credits', 100, true, '', 1, 1, now() - interval '2 days', now() - interval '1 day'
    FROM credits_account a WHERE a.external_id = ANY(%s)
"""


@dataclass
class Metering:
    """Contests on the scene of the others; ``due`` quotas are to be reset."""

    contests: Contests
    due: int

    def run(self, wanted: set[str]) -> list[Figure]:
        """Run the contests of the wanted figures, and return them."""
        found: list[Figure] = []
        for name, contest in (("priced", self._priced), ("stats", self._stats), ("due", self._reset)):
            if name in wanted:
                self.contests.say(f"Measuring {name}")
                found += contest()
        return found

    def _priced(self) -> list[Figure]:
        """A use at a price, counted in two quotas, against a plain debit on accounts without any."""
        scene = self.contests.scene
        metered = [f"metered-{number}" for number in range(len(many()))]
        self.contests.accounts(many(), 1)
        self.contests.accounts(metered, 1)
        add_prices(offers=[Offer("credits", "per_unit", {"per": 1}, feature="answer")], actor="bench")
        with connection.cursor() as cursor:
            cursor.execute(QUOTAS, [metered])
        scene.uses(metered)
        scene.debits(many())
        turns = [(scene.uses(metered).rate, scene.debits(many()).rate) for _ in range(self.contests.rounds)]
        priced, plain = (figures_of.median(rates) for rates in zip(*turns, strict=True))
        detail = {"priced/s": priced, "plain/s": plain}
        return [Figure("priced", "priced use with quotas ÷ plain debit", [a / b for a, b in turns], 0.7, detail=detail)]

    def _stats(self) -> list[Figure]:
        """A year's statistics by day and by feature, of the longest history, folded as the clock folds it."""
        owner = f"longest-{self.contests.longest}"
        self.contests.accounts([owner], self.contests.longest)
        pk = account_id(owner, "credits")
        started = time.perf_counter()
        fold_totals([pk])
        folding = time.perf_counter() - started
        account = Account.objects.get(pk=pk)
        today = datetime.now(UTC).date()
        took = []
        for _ in range(10 * self.contests.rounds):
            started = time.perf_counter()
            statistics.statistics(account, Period.DAILY, today=today, first_day=today - timedelta(days=365))
            statistics.usage_by_feature(account, first_day=today - timedelta(days=365), last_day=today)
            took.append((time.perf_counter() - started) * 1e3)
        says = f"a year's statistics over {self.contests.longest:,} rows, ms"
        return [Figure("stats", says, took, 50, at_most=True, detail={"s to fold them all": folding})]

    def _reset(self) -> list[Figure]:
        """One pass of the clock over quotas that are due."""
        owners = [f"due-{number}" for number in range(self.due)]
        self.contests.accounts(owners, 1)
        with connection.cursor() as cursor:
            cursor.execute(DUE, [owners])
        started = time.perf_counter()
        closed = expiry.reset_due_quotas(QuotaPeriod.DAILY)
        took = time.perf_counter() - started
        if closed != self.due:
            raise RuntimeError(f"{closed} of {self.due} quotas were reset.")
        rate = float(Decimal(closed) / Decimal(took))
        says = f"one pass over {self.due:,} due quotas, rows/s"
        return [Figure("due", says, [rate], 1000, detail={"s": took})]
