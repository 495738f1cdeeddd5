"""The back office: who has what and why, and the buttons that may change it. A module for each noun."""

from credits.admin import accounts, grants, holds, keys, runs, transactions, units

__all__ = ["accounts", "grants", "holds", "keys", "runs", "transactions", "units"]
