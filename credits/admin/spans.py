"""From a day to a day, and the files that tell of it: what statements and reports share."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from django import forms

from credits import texts
from credits.admin.forms import DayField

# Texts have one door: it stands below the admin, where the API finds it too.
safe = texts.safe
FIRST, LAST = date(1970, 1, 2), date(9998, 12, 31)


class Echo:
    """What csv writes to: it hands each line on."""

    def write(self, line: str) -> str:
        """Return the line."""
        return line


class DaysForm(forms.Form):
    """The days that something tells of, both included, in UTC."""

    since = DayField(label="From")
    until = DayField(label="To")

    def clean(self) -> dict[str, Any]:
        """Refuse a span that ends before it begins, and days that no ledger has."""
        data = super().clean() or {}
        since, until = data.get("since"), data.get("until")
        for name, day in (("since", since), ("until", until)):
            if day and not FIRST <= day <= LAST:
                self.add_error(name, f"Choose a day from {FIRST} to {LAST}.")
        if since and until and until < since:
            self.add_error("until", "It ends before it begins.")
        return data


def midnight(day: date) -> datetime:
    """Return when a day begins, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
