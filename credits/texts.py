"""Texts of callers, shown so that they stay texts: no mark in one turns, breaks or runs what stands beside it."""

from __future__ import annotations

import re
from unicodedata import bidirectional

from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString

# Marks that turn what follows them around, or end an isolation: in a text of a caller they only mislead.
TURNS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
# The classes of Unicode of those marks, and of what is written from right to left.
TURNING = {"R", "AL", "AN", "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
# What a spreadsheet takes for a formula: a sign, full-width or not, behind whatever is not seen.
FORMULA = re.compile(r"[\t\r]|[\s\x00-\x1f\u200b-\u200f\u2060-\u2064\ufeff]*[=+\-@＝＋－＠]")  # meant


def unturned(text: str) -> str:
    """Return a text without the marks that turn it around."""
    return text.translate(TURNS)


def apart(text: str) -> SafeString:
    """Return a text that does not turn what stands beside it, whichever way it is written. HTML stays HTML.

    What is written from left to right throughout turns nothing, and stands as it is.
    """
    said = conditional_escape(text)
    if said.isascii() or not any(bidirectional(character) in TURNING for character in said):
        return said
    return format_html("<bdi>{}</bdi>", SafeString(unturned(said)))


def one_line(text: str) -> str:
    """Return a text as one line, for letters in which a line is one of ours."""
    return " ".join(unturned(text).split())


def safe(text: str) -> str:
    """Return a text that a spreadsheet does not take for a formula."""
    return f"'{text}" if FORMULA.match(unturned(text)) else text
