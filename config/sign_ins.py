"""Who signed in, who failed to, and who left: told to the log of what staff did."""

from __future__ import annotations

from typing import Any

from axes.signals import user_locked_out
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from credits.admin.logged import request_id
from credits.plan import Actor
from credits.services.staff import NOBODY, Told, record_act

# So much of a name the table of failures keeps. No user's name is as long.
KEPT_OF_A_NAME = 255


def name_of(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str | None:
    """Return the name that failures are counted by: as much of what was typed as is kept of a name."""
    name = (request.POST if credentials is None else credentials).get("username")
    return None if name is None else str(name).replace("\x00", "")[:KEPT_OF_A_NAME]


@receiver(user_logged_in)
def signed_in(request: HttpRequest, user: Any, **_signal: Any) -> None:
    """Keep that somebody signed in."""
    _tell(request, "sign-in", "Signed in.", user)


@receiver(user_logged_out)
def signed_out(request: HttpRequest, user: Any, **_signal: Any) -> None:
    """Keep that somebody signed out."""
    if user is not None:
        _tell(request, "sign-out", "Signed out.", user)


@receiver(user_login_failed)
def failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_signal: Any) -> None:
    """Keep the name that was tried. What was typed for a password is never told."""
    name = str(credentials.get("username", ""))[:150].replace("\x00", "")
    _tell(request, "sign-in-failed", f"Failed to sign in as {name}.")


@receiver(user_locked_out)
def locked_out(request: HttpRequest | None = None, username: str = "", **_signal: Any) -> None:
    """Keep that a name was locked."""
    _tell(request, "locked-out", f"Locked after too many failures: {username[:150]}.")


def _tell(request: HttpRequest | None, action: str, what: str, user: Any = None) -> None:
    actor = Actor("staff", str(user.pk), user.get_username()) if user is not None else NOBODY
    told = Told(request_id=request_id(request) if request is not None else "")
    record_act(actor=actor, action=action, what=what, told=told)
