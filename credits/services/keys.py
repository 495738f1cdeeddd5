"""API keys: made, revoked, and recognised without a query while they are warm."""

from __future__ import annotations

import hashlib
import secrets
import string
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from credits.models import ApiKey, Scope

# A key's row is read again after this long, so a revoked key is refused everywhere within a second.
FRESH_SECONDS = 0.5
USED_EVERY = timedelta(minutes=1)
ALPHABET = string.ascii_lowercase + string.digits


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: what is kept of a key while it is warm."""

    id: int
    name: str
    owner: str
    prefix: str
    scopes: frozenset[str]
    rate_limit: int | None
    expires_at: datetime | None
    last_used_at: datetime | None


_warm: dict[str, tuple[float, Caller]] = {}


def create_api_key(
    *,
    name: str,
    scopes: Iterable[str],
    owner: str = "",
    created_by: str = "",
    expires_at: datetime | None = None,
    rate_limit: int | None = None,
    key: str | None = None,
) -> tuple[ApiKey, str]:
    """Make a key and return its row and the key itself, which is kept nowhere. ``key`` imports one that exists.

    Raises ValueError for an unknown scope or a key without the shape ``flr_<8 letters>_<secret>``.
    """
    wanted = sorted(set(scopes))
    unknown = set(wanted) - set(Scope.values)
    if unknown or not wanted:
        raise ValueError(f"Unknown scopes: {', '.join(sorted(unknown))}." if unknown else "A key needs a scope.")
    key = key or f"flr_{''.join(secrets.choice(ALPHABET) for _ in range(8))}_{secrets.token_urlsafe(32)}"
    parts = key.split("_", 2)
    if len(parts) != 3 or parts[0] != "flr" or len(parts[1]) != 8 or len(parts[2]) < 32:
        raise ValueError("A key has the shape flr_<8 letters>_<at least 32 random characters>.")
    row = ApiKey.objects.create(
        name=name,
        owner=owner or name,
        prefix=f"flr_{parts[1]}",
        digest=digest(key),
        scopes=wanted,
        rate_limit=rate_limit,
        expires_at=expires_at,
        created_at=timezone.now(),
        created_by=created_by,
    )
    return row, key


def revoke_api_key(*, key: ApiKey) -> None:
    """Stop a key for ever. Every process refuses it within a second."""
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now())
    _warm.pop(key.digest, None)


def recognise(key: str) -> Caller | None:
    """Return who a key belongs to, or None for one that is unknown, revoked or expired. No query while it is warm."""
    sum_of_key = digest(key)
    seen = _warm.get(sum_of_key)
    moment = time.monotonic()
    if seen is None or moment - seen[0] > FRESH_SECONDS:
        caller = _look_up(sum_of_key)
        if caller is None:
            _warm.pop(sum_of_key, None)
            return None
        _warm[sum_of_key] = (moment, caller)
    else:
        caller = seen[1]
    if caller.expires_at is not None and caller.expires_at <= datetime.now(UTC):
        return None
    return caller


def digest(key: str) -> str:
    """Return what is kept of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _look_up(sum_of_key: str) -> Caller | None:
    row = ApiKey.objects.filter(digest=sum_of_key, revoked_at=None).first()
    if row is None:
        return None
    now = timezone.now()
    if row.last_used_at is None or now - row.last_used_at > USED_EVERY:
        unused = Q(last_used_at=None) | Q(last_used_at__lt=now - USED_EVERY)
        ApiKey.objects.filter(unused, pk=row.pk).update(last_used_at=now)
    return Caller(
        row.pk, row.name, row.owner, row.prefix, frozenset(row.scopes), row.rate_limit, row.expires_at, row.last_used_at
    )


def forget() -> None:
    """Let every key be looked up anew in this process."""
    _warm.clear()
