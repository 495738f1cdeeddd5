"""The admin of money from outside, and of what others are told: what is sold, what was paid, what was sent."""

from billing.admin import (
    account_section,
    catalogue,
    deliveries,
    differences,
    endpoints,
    events,
    find,
    front,
    invoices,
    letters,
    notices,
    payments,
    reports,
    strays,
    topups,
    verbs,
)

__all__ = [
    "account_section",
    "catalogue",
    "deliveries",
    "differences",
    "endpoints",
    "events",
    "find",
    "front",
    "invoices",
    "letters",
    "notices",
    "payments",
    "reports",
    "strays",
    "topups",
    "verbs",
]
