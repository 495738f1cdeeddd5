"""What becomes of credits that come free: whoever knows of disputed lots registers, and freezes them again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from uuid import UUID

# Freezes what is free of disputed lots of these accounts, which are locked by the transaction that it is called in.
Freezer = Callable[[list[UUID]], None]

_freezers: list[Freezer] = []


def register(freezer: Freezer) -> None:
    """Let a freezer see to what comes free, before anybody can spend it."""
    if freezer not in _freezers:
        _freezers.append(freezer)


def freed(accounts: Iterable[UUID]) -> None:
    """Tell that credits of locked accounts have come free of a hold or were given back. Called in their transaction."""
    known = list(accounts)
    for freezer in _freezers:
        freezer(known)
