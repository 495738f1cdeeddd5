"""What the provider says in its own words, for people."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

# What says itself with a capital and spaces is left out.
WORDS = {
    "needs_response": "Waits for our answer",
    "under_review": "The bank looks into it",
    "warning_needs_response": "An inquiry, waits for our answer",
    "warning_under_review": "An inquiry, the bank looks into it",
    "warning_closed": "An inquiry, closed",
    "requires_action": "Waits for the customer",
    "requires_confirmation": "Waits for the customer",
    "requires_payment_method": "No card was charged",
    "requires_capture": "Reserved on the card",
    "subscription_create": "The plan began",
    "subscription_cycle": "The next period of the plan",
    "subscription_update": "Change of plan",
    "subscription_threshold": "Enough was used",
    "manual": "Made by hand",
}


def said(word: str) -> str:
    """Return a status or reason of the provider's in words."""
    return WORDS.get(word, word.replace("_", " ").capitalize())


@admin.display(description="Mode")
def mode(_page: Any, row: Any) -> str:
    """Say whether a record is of real money: a field of any of the provider's records."""
    return "Live" if row.livemode else "Test"
