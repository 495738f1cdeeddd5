"""Accounts by the beginning of any word of their names, addresses and ids, by one index: see WORDS of the model."""

from __future__ import annotations

import re

from django.contrib.postgres.search import SearchQuery


def words_of(term: str) -> SearchQuery | None:
    """Return what finds accounts with words that begin like these; nothing for what half of them begin with."""
    words = re.findall(r"[^\W_]+", term)
    # Who types an address begins it at its beginning.
    if "@" in term or not any(len(word) > 2 for word in words):
        return None
    return SearchQuery(" & ".join(f"{word}:*" for word in words), config="simple", search_type="raw")
