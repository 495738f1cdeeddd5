"""From a preview to exactly one act.

A confirmation is signed by the server and says who was shown what for which request, and under which key it will be
done. It is honoured once, for an hour, by the one it was shown to, and only while what it depends on still holds.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass, replace
from typing import Any

from django.core import signing

from credits.plan import Movement
from credits.refusals import Refusal
from credits.services.once import Answer, Once

SALT = "credits.admin.confirmation"
LASTS_SECONDS = 3600


@dataclass(frozen=True)
class Confirmation:
    """What was previewed. ``seen`` stands for what it depends on, ``asked`` for the request; ``key`` does it once."""

    user: str
    asked: str
    seen: str = ""
    key: str = ""

    @classmethod
    def of(cls, user: Any, verb: str, subject: object, data: dict[str, Any]) -> Confirmation:
        """Return the confirmation that a request needs, still without what it depends on, and without a key."""
        return cls(user=str(user.pk), asked=digest([verb, str(subject), sorted(data.items())]))

    def showing(self, seen: str) -> Confirmation:
        """Return it for what is shown, with a key of its own unless it has one."""
        return replace(self, seen=seen, key=self.key or secrets.token_urlsafe(24))

    def signed(self) -> str:
        """Return what the confirm button sends back."""
        return signing.dumps(asdict(self), salt=SALT)

    def found_in(self, text: str) -> Confirmation | None:
        """Return the confirmation sent back, if it is genuine, recent, this user's and of this same request."""
        try:
            given = Confirmation(**signing.loads(text, salt=SALT, max_age=LASTS_SECONDS))
        except (signing.BadSignature, TypeError):
            return None
        return given if (given.user, given.asked) == (self.user, self.asked) else None

    @property
    def asking(self) -> str:
        """The key of the request for approval, where it takes a second person."""
        return f"{self.user}:{self.key}"

    def once(self) -> Once:
        """Return the key under which the ledger does it once, however often the button is pressed."""
        return Once(f"staff:{self.user}", self.key, self.asked, _answer, _refused)


def digest(facts: list[Any]) -> str:
    """Return the SHA-256 of some facts."""
    return hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()


def _answer(done: Any) -> Answer:
    return Answer(200, json.dumps({"transaction_id": str(done.id)} if isinstance(done, Movement) else {}))


def _refused(refusal: Refusal) -> Answer:
    return Answer(refusal.status, json.dumps({"detail": refusal.detail}))
