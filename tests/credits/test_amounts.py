"""Amounts as text for people."""

from __future__ import annotations

import pytest

from credits.amounts import say_money


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (0, "USD", "0.00 USD"),
        (5, "eur", "0.05 EUR"),
        (123_450, "EUR", "1,234.50 EUR"),
        (-2900, "USD", "-29.00 USD"),
        (500, "JPY", "500 JPY"),
        (1_234_567, "KWD", "1,234.567 KWD"),
    ],
)
def test_money_is_told_in_its_own_currency(minor: int, currency: str, text: str) -> None:
    assert say_money(minor, currency) == text
