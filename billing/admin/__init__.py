"""The admin of money from outside: what is sold, what was paid, and what the provider told."""

from billing.admin import (
    account_section,
    catalogue,
    differences,
    events,
    find,
    front,
    invoices,
    payments,
    strays,
    topups,
    verbs,
)

__all__ = [
    "account_section",
    "catalogue",
    "differences",
    "events",
    "find",
    "front",
    "invoices",
    "payments",
    "strays",
    "topups",
    "verbs",
]
