"""Moments, as pages for staff tell them: in the reader's own zone, with UTC on hover.

A page tells UTC and the browser's script turns it, so that it is right without a script too. A text that is kept,
logged or chosen from says its moments in UTC, by ``utc``; ``in_zone`` turns them where it is shown.
"""

from __future__ import annotations

import re
from datetime import datetime

from django.utils import timezone
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString

EMPTY = "–"
# A moment in a text, as ``utc`` writes it.
WRITTEN = re.compile(r"\b(\d{4}-\d\d-\d\d \d\d:\d\d) UTC\b")


def moment(value: datetime | None) -> str:
    """Return a moment in UTC, to the minute."""
    return f"{timezone.localtime(value):%Y-%m-%d %H:%M}" if value else EMPTY


def moment_tag(value: datetime | None) -> SafeString | str:
    """Return a moment that the browser tells in its own zone, with UTC on hover; in UTC where it runs no script."""
    if value is None:
        return EMPTY
    return format_html('<time datetime="{}" title="{} UTC">{}</time>', value.isoformat(), moment(value), moment(value))


def utc(value: datetime | None) -> str:
    """Return a moment for a text, which is kept, logged or chosen from: it says that it is UTC. See ``in_zone``."""
    return f"{moment(value)} UTC" if value else EMPTY


def in_zone(text: object) -> SafeString:
    """Return a text whose moments the browser tells in its own zone, with UTC on hover. What is HTML stays as it is."""
    if isinstance(text, SafeString):
        return text
    parts = WRITTEN.split(str(text))
    told = (_written(part) if number % 2 else conditional_escape(part) for number, part in enumerate(parts))
    return format_html_join("", "{}", ((part,) for part in told))


def _written(text: str) -> SafeString:
    """Return a moment that was written in UTC."""
    at = f"{text.replace(' ', 'T')}:00+00:00"
    return format_html('<time datetime="{}" title="{} UTC">{} UTC</time>', at, text, text)


def day_tag(value: datetime) -> SafeString:
    """Return a moment as its day in the reader's own zone, with the moment in UTC on hover."""
    day = f"{timezone.localtime(value):%Y-%m-%d}"
    return format_html('<time datetime="{}" data-day title="{} UTC">{}</time>', value.isoformat(), moment(value), day)


def exactly(value: datetime | None) -> SafeString | str:
    """Return a moment to the second, in the reader's own zone, with UTC to the microsecond on hover."""
    if value is None:
        return EMPTY
    at = f"{timezone.localtime(value):%Y-%m-%d %H:%M:%S.%f} UTC"
    return format_html('<time datetime="{}" data-exactly title="{}">{}</time>', value.isoformat(), at, at)
