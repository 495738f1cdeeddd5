"""Who wants to know at once that something was written to the outbox. It is read all the same; only later."""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction

# Called once what it is about is committed, by the process that did it: it must neither fail nor wait.
Listener = Callable[[], None]

_listeners: list[Listener] = []


def register(listener: Listener) -> None:
    """Let a listener know of news from now on."""
    if listener not in _listeners:
        _listeners.append(listener)


def forget() -> None:
    """Tell nobody any more, until somebody registers again."""
    _listeners.clear()


def tell() -> None:
    """Tell the listeners, once the transaction that is open has committed."""
    if _listeners:
        transaction.on_commit(_tell_all)


def _tell_all() -> None:
    for listener in _listeners:
        listener()
