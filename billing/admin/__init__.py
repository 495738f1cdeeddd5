"""The admin of money from outside: what is sold, what was paid, and what the provider told."""

from billing.admin import catalogue, events, payments

__all__ = ["catalogue", "events", "payments"]
