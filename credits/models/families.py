"""What movements come to: the words that the front page, its chart, the list of movements and the reports share.

The one place that says which kinds are sold, granted, spent, refunded and expired. It follows the other side of the
books: what is sold came from sales, what is granted from promotions. So for the same days each says the same figure,
and the trial balance too, less what was reversed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from credits.models.transactions import Counterparty, TransactionKind


@dataclass(frozen=True, slots=True)
class Family:
    """Kinds that are summed up under one name. ``sign`` makes its sum a positive figure."""

    name: str
    label: str
    kinds: tuple[str, ...]
    counterparty: str
    sign: int

    @property
    def sql(self) -> str:
        """The figure as an aggregate over rows that have a kind and an amount."""
        return summed(self.kinds, self.sign)


def summed(kinds: Iterable[str], sign: int = 1) -> str:
    """Return the sum of some kinds, as an aggregate over rows that have a kind and an amount."""
    listed = ", ".join(f"'{kind!s}'" for kind in kinds)
    return f"coalesce({sign} * sum(amount) FILTER (WHERE kind IN ({listed})), 0)"


SOLD = Family("sold", "Sold", (TransactionKind.TOPUP, TransactionKind.PLAN), Counterparty.SALES, 1)
GRANTED = Family(
    "granted",
    "Granted",
    (TransactionKind.TRIAL, TransactionKind.PROMOTION, TransactionKind.ORDER),
    Counterparty.PROMOTIONS,
    1,
)
SPENT = Family("spent", "Spent", (TransactionKind.USAGE, TransactionKind.CAPTURE), Counterparty.USAGE, -1)
REFUNDED = Family("refunded", "Refunded", (TransactionKind.REFUND,), Counterparty.USAGE, 1)
EXPIRED = Family("expired", "Expired", (TransactionKind.EXPIRY,), Counterparty.EXPIRED, -1)
FAMILIES = {each.name: each for each in (SOLD, GRANTED, SPENT, REFUNDED, EXPIRED)}
