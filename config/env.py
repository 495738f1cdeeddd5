"""Typed readers of the environment. A wrong value stops the start and names the variable, never its content."""

from __future__ import annotations

import os
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}


def text(name: str, default: str | None = None, *, choices: tuple[str, ...] = ()) -> str:
    """Return the variable, or the default. Without a default the variable must be set."""
    value = os.environ.get(name, "").strip() or default
    if value is None:
        raise ImproperlyConfigured(f"{name} must be set.")
    if choices and value not in choices:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}.")
    return value


def flag(name: str, *, default: bool) -> bool:
    """Return a boolean written as 1/0, true/false, yes/no or on/off."""
    value = os.environ.get(name, "").strip().lower()
    if not value:
        return default
    if value in TRUE or value in FALSE:
        return value in TRUE
    raise ImproperlyConfigured(f"{name} must be true or false.")


def whole(name: str, default: int, *, least: int = 0, most: int = 2**31 - 1) -> int:
    """Return a whole number within bounds."""
    value = os.environ.get(name, "").strip()
    if not value:
        return default
    try:
        number = int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number.") from None
    if not least <= number <= most:
        raise ImproperlyConfigured(f"{name} must lie between {least} and {most}.")
    return number


def words(name: str, default: str = "") -> list[str]:
    """Return a comma-separated list, blanks dropped."""
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


def url(name: str, *, schemes: tuple[str, ...], default: str | None = None) -> str:
    """Return an address of one of the schemes."""
    value = text(name, default)
    parts = urlsplit(value)
    if parts.scheme not in schemes or not (parts.hostname or parts.query or parts.path):
        raise ImproperlyConfigured(f"{name} must be an address that starts with {' or '.join(schemes)}://.")
    try:
        _ = parts.port
    except ValueError:
        raise ImproperlyConfigured(f"{name} has a port that is no number.") from None
    return value


def optional_url(name: str, *, schemes: tuple[str, ...]) -> str:
    """Return an address of one of the schemes, or nothing where the variable is not set."""
    return url(name, schemes=schemes) if os.environ.get(name, "").strip() else ""


def secret(name: str) -> str:
    """Return a secret that goes into a header: printable ASCII without spaces; or nothing where it is not set."""
    value = text(name, "")
    if not all("\x21" <= char <= "\x7e" for char in value):
        raise ImproperlyConfigured(f"{name} may hold printable ASCII characters only.")
    return value


def secrets(name: str) -> list[str]:
    """Return secrets by comma, of which any may be meant while one takes the place of another."""
    return [word for word in secret(name).split(",") if word]


def database(name: str) -> dict[str, object]:
    """Return Django's connection settings for a postgresql:// address.

    A socket directory may stand in the host's place, percent-encoded, or in ``?host=``.
    """
    parts = urlsplit(url(name, schemes=("postgresql", "postgres")))
    if not parts.path.strip("/"):
        raise ImproperlyConfigured(f"{name} must name a database.")
    extra = dict(pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair)
    host = extra.pop("host", None) or parts.hostname or ""
    return {
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(host),
        "PORT": str(parts.port or ""),
        "OPTIONS": {key: unquote(value) for key, value in extra.items()},
    }
