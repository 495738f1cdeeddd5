"""Whether a plugin may be used, kept in Valkey for a few seconds, and never kept past a change of ours.

A debit of an account that nobody asks for pays nothing for this. Who asks leaves a lease on the account's row; who
changes an account reads it with the lock, and while there is one leaves a newer version in Valkey before it answers.
An older version can never take a newer one's place there. Without Valkey, PostgreSQL is asked each time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

import redis
from django.conf import settings
from django.db import connection
from redis.backoff import NoBackoff
from redis.retry import Retry

from credits.plan import Sheet
from credits.plan.news import usable
from credits.services.locks import read_account

log = logging.getLogger(__name__)

# Longer than anything that was read before it was granted can still be on its way to Valkey.
LEASE_SECONDS = 600
SHORTEST_LEASE = 120
# For how long a server that does not answer is left alone.
LEFT_ALONE = 2.0
# What took longer to read may have missed a whole restart of Valkey, and is not kept.
FRESH = 0.5
# Takes the place of what is there unless that is newer.
PUT = """
local kept = redis.call('GET', KEYS[1])
if kept and tonumber(string.match(kept, '^%d+')) > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. ':' .. ARGV[2], 'PX', ARGV[3])
return 1
"""
LEASED = "SELECT plugin_cached_until > clock_timestamp() + make_interval(secs => %s) FROM credits_account WHERE id = %s"
# An account that is being changed just now is not waited for.
LEASE = """
    UPDATE credits_account SET plugin_cached_until = clock_timestamp() + make_interval(secs => %s)
    WHERE id = (SELECT id FROM credits_account WHERE id = %s FOR NO KEY UPDATE SKIP LOCKED)
"""

_alone_until = 0.0


@dataclass(frozen=True, slots=True)
class PluginStatus:
    """Whether an account may be used, and its balance."""

    enabled: bool
    balance: Decimal


def plugin_status(account: UUID) -> PluginStatus:
    """Return whether an account may be used: it is active, and has credits or an overdraft left.

    Raises UnknownAccount. Where neither Valkey nor PostgreSQL answers there is no answer: it fails closed.
    """
    seconds, begun = float(settings.PLUGIN_STATUS_CACHE_TTL), time.monotonic()
    answers, kept = _get(account) if seconds else (False, None)
    if kept is not None:
        return kept
    may_keep = answers and _lease(account)
    sheet = read_account(account)
    status = PluginStatus(usable(sheet.status, sheet.balance, sheet.overdraft_limit), sheet.balance)
    if may_keep and not sheet.touched and time.monotonic() - begun < FRESH:
        left = (sheet.next_due_at - sheet.at).total_seconds() if sheet.next_due_at else seconds
        _put(account, sheet.version, f"{int(status.enabled)}:{status.balance:f}", min(left, seconds))
    return status


def forget(changed: Collection[tuple[UUID, int]]) -> None:
    """Let nobody be told what was so before these versions of these accounts. Called when they are committed.

    Where Valkey does not answer, what it may still tell others ends with PLUGIN_STATUS_CACHE_TTL.
    """
    for account, version in changed:
        _put(account, version, "", float(settings.PLUGIN_STATUS_CACHE_TTL))


def kept_of(sheets: Collection[Sheet]) -> list[tuple[UUID, int]]:
    """Return those of the accounts whose status may be kept, each with the version that its change makes."""
    return [(sheet.id, sheet.version + 1) for sheet in sheets if sheet.plugin_cached]


def _get(account: UUID) -> tuple[bool, PluginStatus | None]:
    """Return whether Valkey answers, and what it keeps."""
    if time.monotonic() < _alone_until:
        return False, None
    try:
        kept: Any = _server().get(_key(account))
    except (redis.RedisError, OSError) as error:
        _leave_alone(error)
        return False, None
    _, _, body = (kept or b"").partition(b":")
    if not body:
        return True, None
    enabled, _, balance = body.decode().partition(":")
    return True, PluginStatus(enabled == "1", Decimal(balance))


def _put(account: UUID, version: int, body: str, seconds: float) -> None:
    if seconds <= 0:
        return
    try:
        _server().eval(PUT, 1, _key(account), str(version), body, str(int(seconds * 1000)))
    except (redis.RedisError, OSError) as error:
        _leave_alone(error)


def _lease(account: UUID) -> bool:
    """Let whoever changes the account from now on know that its status may be kept. Tells whether they will."""
    with connection.cursor() as cursor:
        cursor.execute(LEASED, [SHORTEST_LEASE, account])
        if (cursor.fetchone() or (False,))[0]:
            return True
        cursor.execute(LEASE, [LEASE_SECONDS, account])
        return bool(cursor.rowcount)


@cache
def _server() -> redis.Redis:
    # A connection that was kept may be of a server that is gone: the second try has a new one.
    again = Retry(NoBackoff(), 1)
    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=0.5, socket_timeout=0.5, retry=again)


def _key(account: UUID) -> str:
    return f"plugin:{account}"


def _leave_alone(error: Exception) -> None:
    global _alone_until  # noqa: PLW0603  # one server for the process
    _alone_until = time.monotonic() + LEFT_ALONE
    log.warning("Valkey does not answer: PostgreSQL tells whether plugins are enabled: %s", type(error).__name__)
