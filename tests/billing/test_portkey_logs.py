"""What is believed of the gateway's answers, and what is not."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from billing.providers.portkey_logs import PAGE_ROWS, NoSense, Rows
from tests.fakes.portkey import row


def page(*rows: Any, **more: Any) -> bytes:
    return json.dumps({"object": "list", "data": rows, **more}).encode()


def read(*bodies: bytes) -> Rows:
    rows = Rows("t")
    for body in bodies:
        rows.add(body)
    return rows


def one(text: str) -> bytes:
    """A page of one row, whose cost is written as told."""
    return b'{"total": 1, "data": [{"id": 1, "trace_id": "t", "cost": %s}]}' % text.encode()


class TestACost:
    @pytest.mark.parametrize(
        ("cents", "usd"),
        [
            ("1", "0.01"),
            ("1.2345", "0.012345"),
            ('"1.2345"', "0.012345"),
            ("0.1e-5", "0.00000001"),
            ("1000000", "10000"),
            ("0.30000000000000004", "0.0030000000000000004"),
            ("1.000000000000000000000000000000000000001", "0.01000000000000000000000000000000000000001"),
            ("0e-999", "0"),
            ("-0.0", "0"),
        ],
    )
    def test_is_read_to_the_last_digit(self, cents: str, usd: str) -> None:
        assert read(one(cents)).cost().usd == Decimal(usd)

    def test_is_summed_without_rounding(self) -> None:
        rows = [f'{{"id": {n}, "cost": {c}}}' for n, c in enumerate(["1e-40", "999999", "0.1", "0.2"])]

        cost = read(f"[{','.join(rows)}]".encode()).cost()

        assert cost.usd == Decimal("9999.993" + "0" * 38 + "1")

    @pytest.mark.parametrize(
        "told",
        [
            *("null", "true", "[]", "{}", '""', '"1,5"', '"NaN"', '"-1"', "-0.01", "NaN", "Infinity", "-Infinity"),
            *("1000000.01", "1e999999999", "1e-41", "0." + "1" * 41, '"1e9999999999999999999"'),
        ],
    )
    def test_that_cannot_be_meant_is_not_charged(self, told: str) -> None:
        with pytest.raises(NoSense):
            read(one(told)).cost()

    def test_that_is_missing_in_one_row_of_many_is_none_of_them(self) -> None:
        with pytest.raises(NoSense, match="without a cost"):
            read(page(row(1, "t", 1), {"id": "2", "trace_id": "t"})).cost()

    def test_too_large_only_together_is_absurd_too(self) -> None:
        with pytest.raises(NoSense, match="absurd"):
            read(page(row(1, "t", 600_000), row(2, "t", 600_000))).cost()

    @pytest.mark.parametrize("other", [{"trace_id": "u"}, {"trace_id": None}, {"cost_currency": "EUR"}])
    def test_of_another_trace_or_currency_is_not_charged(self, other: dict[str, Any]) -> None:
        with pytest.raises(NoSense):
            read(page({**row(1, "t", 1), **other})).cost()


class TestTokens:
    def test_are_summed(self) -> None:
        assert read(page(row(1, "t", 1, tokens=7), {"cost": 1, "req_units": 2, "res_units": 3})).cost().tokens == 12

    @pytest.mark.parametrize(
        "told", [{}, {"total_units": "7"}, {"total_units": -1}, {"req_units": 1}, {"total_units": True}]
    )
    def test_are_not_told_where_a_row_does_not(self, told: dict[str, Any]) -> None:
        assert read(page(row(1, "t", 1), {"cost": 1, **told})).cost().tokens is None


class TestPages:
    @pytest.mark.parametrize(
        "body",
        [
            [row(1, "t", 1)],
            {"data": [row(1, "t", 1)]},
            {"logs": [row(1, "t", 1)]},
            {"success": True, "data": {"records": [row(1, "t", 1)], "total": 1}},
        ],
    )
    def test_have_several_shapes(self, body: Any) -> None:
        rows = Rows("t")

        assert rows.add(json.dumps(body).encode()) is False
        assert rows.cost().usd == Decimal("0.01")

    @pytest.mark.parametrize(
        "body",
        [
            *(b"", b"<html>", b"\xff", b"1", b"null", b'{"data": 1}', b'{"data": [1]}', b'{"error": "no"}', b"{}"),
            *(b'{"success": false, "data": []}', b"[" * 100_000, b'{"data": [{"cost": 1e9999999999999999999}]}'),
        ],
    )
    def test_that_are_none_make_no_sense(self, body: bytes) -> None:
        with pytest.raises(NoSense):
            read(body).cost()

    def test_go_on_until_all_that_are_counted_are_there(self) -> None:
        rows = Rows("t")

        more = [rows.add(page(row(n, "t", 1), total=3)) for n in range(3)]

        assert more == [True, True, False]
        assert rows.cost() == read(page(*(row(n, "t", 1) for n in range(3)))).cost()

    def test_that_count_more_than_come_make_no_sense(self) -> None:
        rows = Rows("t")
        assert rows.add(page(row(1, "t", 1), total=2))

        with pytest.raises(NoSense, match="fewer"):
            rows.add(page(total=2))

    def test_that_count_less_than_come_make_no_sense(self) -> None:
        with pytest.raises(NoSense, match="more rows"):
            read(page(row(1, "t", 1), row(2, "t", 1), total=1))

    def test_without_a_count_go_on_while_they_are_full(self) -> None:
        full = [row(n, "t", 1) for n in range(PAGE_ROWS)]
        rows = Rows("t")

        assert rows.add(page(*full)) is True
        assert rows.add(page(row(PAGE_ROWS, "t", 1))) is False
        assert len(rows.rows) == PAGE_ROWS + 1

    def test_told_twice_count_once(self) -> None:
        nameless = [{"cost": n} for n in range(PAGE_ROWS)]
        rows = Rows("t")

        assert rows.add(page(*nameless)) is True
        assert rows.add(page(*nameless)) is False
        assert len(rows.rows) == PAGE_ROWS

    def test_that_moved_on_meanwhile_do_not_count_a_row_twice(self) -> None:
        rows = read(page(row(1, "t", 1), row(2, "t", 1), total=3), page(row(2, "t", 1), row(3, "t", 1), total=3))

        assert rows.cost().usd == Decimal("0.03")
