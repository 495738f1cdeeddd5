"""Dead letters: messages that could not be applied, kept until staff replays or dismisses them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.expressions import RawSQL
from django.utils import timezone

from billing.models import DeadLetter, LetterState
from credits.refusals import Refusal
from credits.services.slices import delete_older

# Applies a message: its subject, its id, its body.
Apply = Callable[[str, str, bytes], None]


class Malformed(Refusal):
    """A message that cannot be meant. Whoever published it must mend it; replaying it changes nothing."""

    status, code, title, stored = 400, "malformed", "The message is not valid.", False


class NotReady(Refusal):
    """What the message refers to has not come yet. It is tried again before it is given up."""

    code, title, stored = "not_ready", "What the message refers to has not come yet.", False


class NotOpen(Refusal):
    code, title, stored = "not_open", "The dead letter was replayed or dismissed before.", False


def in_words(detail: Any, field: str = "") -> str:
    """Return what fields say of a message, for people: amount: This field is required."""
    if isinstance(detail, dict):
        return " ".join(in_words(each, str(name)) for name, each in detail.items())
    if isinstance(detail, list):
        return " ".join(in_words(each, field) for each in detail)
    return f"{field}: {detail}" if field else str(detail)


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that could not be applied, and why."""

    subject: str
    message_id: str
    body: bytes
    code: str
    error: str


def keep_letters(letters: Iterable[Letter]) -> None:
    """Keep messages that could not be applied, each once however often it comes."""
    now = timezone.now()
    DeadLetter.objects.bulk_create(
        (
            DeadLetter(
                subject=each.subject,
                message_id=each.message_id,
                body=each.body.decode(errors="replace").replace("\0", "�"),
                code=each.code,
                error=each.error[:2000].replace("\0", "�"),
                came_at=now,
            )
            for each in letters
        ),
        ignore_conflicts=True,
    )


def kept(subject: str, ids: Collection[str]) -> set[str]:
    """Return those of the messages that are dead letters."""
    wanted = RawSQL("SELECT unnest(%s::text[])", [list(ids)])
    rows = DeadLetter.objects.filter(subject=subject, message_id__in=wanted)
    return set(rows.values_list("message_id", flat=True))


def replay_letter(letter: int, apply: Apply) -> None:
    """Apply a dead letter now; it is closed in the same transaction.

    Raises the Refusal that it meets again, which is kept with it; NotOpen where it was closed before.
    """
    try:
        with transaction.atomic():
            row = _open(letter)
            apply(row.subject, row.message_id, row.body.encode())
            _close(row, LetterState.REPLAYED)
    except NotOpen:
        raise
    except Refusal as refusal:
        DeadLetter.objects.filter(pk=letter).update(code=refusal.code, error=refusal.detail[:2000])
        raise


@transaction.atomic
def dismiss_letter(letter: int) -> None:
    """Close a dead letter that is not to be applied. Raises NotOpen."""
    _close(_open(letter), LetterState.DISMISSED)


def purge_letters() -> int:
    """Delete dead letters older than EVENT_DAYS, replayed or not. Returns how many."""
    return delete_older(DeadLetter, "came_at", timezone.now() - timedelta(days=settings.EVENT_DAYS))


def _open(letter: int) -> DeadLetter:
    row = DeadLetter.objects.select_for_update(no_key=True).get(pk=letter)
    if row.state != LetterState.OPEN:
        raise NotOpen(f"It was {row.get_state_display().lower()} before.")
    return row


def _close(row: DeadLetter, state: LetterState) -> None:
    row.state, row.closed_at = state, timezone.now()
    row.save(update_fields=["state", "closed_at"])
