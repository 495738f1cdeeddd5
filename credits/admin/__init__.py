"""The back office: who has what and why, and the buttons that may change it. A module for each noun."""

from credits.admin import (
    accounts,
    bulk,
    features,
    find,
    front,
    grants,
    holds,
    keys,
    more_verbs,
    prices,
    runs,
    transactions,
    units,
    unpriced,
)

__all__ = [
    "accounts",
    "bulk",
    "features",
    "find",
    "front",
    "grants",
    "holds",
    "keys",
    "more_verbs",
    "prices",
    "runs",
    "transactions",
    "units",
    "unpriced",
]
