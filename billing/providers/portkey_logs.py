"""What Portkey's log API answers, read without believing more than it says. Pure: no network, no clock.

A page is a JSON object with the rows in ``data`` (or ``logs``, ``records``, also one level down in ``data``) and how
many there are in all in ``total``; or the bare list of rows. Pages are asked for by ``page_size`` and ``current_page``,
which begins at 0. A row says ``id``, ``trace_id``, ``cost`` in cents, ``cost_currency`` (USD), and tokens in
``total_units`` or in ``req_units`` and ``res_units``. Only ``cost`` must be there; what is there must make sense.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Any

PAGE_ROWS = 50
MOST_CENTS = Decimal(1_000_000)
MOST_DIGITS = 40
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
# Wide enough that no sum of costs is ever rounded.
EXACT = Context(prec=4 * MOST_DIGITS)

Row = dict[str, Any]


class NoSense(Exception):  # judged by the caller, who knows which trace was asked for
    """An answer that cannot be meant; its text says why, in our words."""


@dataclass(frozen=True, slots=True)
class TraceCost:
    """What a trace cost in US dollars, exactly; from how many rows; and its tokens, where every row tells them."""

    usd: Decimal
    rows: int
    tokens: int | None


@dataclass(slots=True)
class Rows:
    """The rows of one trace, gathered page by page."""

    trace_id: str
    rows: list[Row] = field(default_factory=list)
    _ids: set[str] = field(default_factory=set)
    _last: list[Row] = field(default_factory=list)

    def add(self, body: bytes) -> bool:
        """Take a page in, and tell whether there is another. Raises NoSense."""
        page, total = _read(body)
        new = self._new(page)
        self.rows += new
        self._last = page
        if total is None:
            return bool(new) and len(page) >= PAGE_ROWS
        if len(self.rows) > total:
            raise NoSense("more rows than it counts")
        if len(self.rows) < total and not new:
            raise NoSense("fewer rows than it counts")
        return len(self.rows) < total

    def cost(self) -> TraceCost:
        """Return what the rows cost together. Raises NoSense."""
        cents = Decimal(0)
        for row in self.rows:
            cents = EXACT.add(cents, _cents(row, self.trace_id))
        if cents > MOST_CENTS:
            raise NoSense("an absurd cost")
        tokens = [_tokens(row) for row in self.rows]
        known = [each for each in tokens if each is not None]
        return TraceCost(
            cents.scaleb(-2, EXACT), len(self.rows), sum(known) if known and len(known) == len(tokens) else None
        )

    def _new(self, page: list[Row]) -> list[Row]:
        """Return a page's rows that were not seen before. A page told twice means that paging is not heeded."""
        if page == self._last:
            return []
        new = []
        for row in page:
            name = row.get("id")
            if name is None or str(name) not in self._ids:
                new.append(row)
            if name is not None:
                self._ids.add(str(name))
        return new


def _read(body: bytes) -> tuple[list[Row], int | None]:
    """Return a page's rows, and how many there are in all where it says so."""
    try:
        answer = json.loads(body.decode(), parse_float=Decimal, parse_constant=Decimal)
    except (ValueError, RecursionError, ArithmeticError):
        raise NoSense("no JSON") from None
    total = None
    while isinstance(answer, dict):
        if answer.get("success") is False:
            raise NoSense("no success")
        if isinstance(counted := answer.get("total"), int) and not isinstance(counted, bool):
            total = counted
        answer = next((answer[name] for name in ("data", "logs", "records") if name in answer), None)
    if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
        raise NoSense("no rows")
    return answer, total


def _cents(row: Row, trace_id: str) -> Decimal:
    if row.get("trace_id", trace_id) != trace_id:
        raise NoSense("rows of another trace")
    if (row.get("cost_currency") or "USD") not in ("USD", "usd"):
        raise NoSense("a cost that is not in US dollars")
    told = row.get("cost")
    if isinstance(told, str) and NUMBER.fullmatch(told):
        told = _decimal(told)
    if isinstance(told, bool) or not isinstance(told, int | Decimal):
        raise NoSense("a row without a cost")
    cents = _decimal(told)
    if not cents.is_finite() or cents < 0:
        raise NoSense("a cost that is negative or no number")
    if not cents:
        return Decimal(0)
    if cents > MOST_CENTS or cents.adjusted() < -MOST_DIGITS or len(cents.as_tuple().digits) > MOST_DIGITS:
        raise NoSense("an absurd cost")
    return cents


def _decimal(told: str | int | Decimal) -> Decimal:
    try:
        return Decimal(told)
    except ArithmeticError:
        raise NoSense("an absurd cost") from None


def _tokens(row: Row) -> int | None:
    told = [row["total_units"]] if "total_units" in row else [row.get("req_units"), row.get("res_units")]
    whole = [each for each in told if isinstance(each, int) and not isinstance(each, bool) and 0 <= each < 2**53]
    return sum(whole) if len(whole) == len(told) else None
