"""The one place where accounts are locked and read.

The lock order of the whole service: account rows, ascending by id, in one statement; after that nothing is waited for.
Lots, holds, transactions and idempotency records of an account are written only under its row's lock.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

import orjson
from django.db import connection
from django.db.models.expressions import RawSQL

from credits import refusals, units
from credits.models import Account
from credits.plan import Lot, Owner, Sheet, settle
from credits.plan.quotas import prepare
from credits.plan.state import ZERO, Calendar, QuotaCount
from credits.services import clock, history
from credits.services.once import Once

COLUMNS = (
    "id", "external_id", "unit_id", "status", "balance", "held", "overdraft_limit", "debt",
    "sequence", "version", "head_hash", "last_recorded_at", "next_due_at", "time_zone", "week_starts_on",
    "quota_anchor", "allowance_id", "allowance_ends_at", "next_allowance_id", "low_balance_threshold", "recharged_to",
    "plugin_cached_until",
)  # fmt: skip
LOT = (
    "g.id, g.amount::text, g.remaining::text, g.held::text, g.category, g.priority, g.expires_at, g.transferable,"
    " g.paid_currency, g.paid_minor, g.source"
)
QUOTA = (
    "q.feature, q.period, q.measure, q.since_sequence, q.window_start, q.resets_at, q.used::text"
    ', q."limit"::text, q.hard, q.override_limit::text, q.override_until, q.override_reason'
)
# The allowance that holds at the moment: the account's, the next one once that has ended, else the unit's default.
ALLOWANCE = """
    SELECT w.code, w.denied, w.limits FROM credits_allowance w
    WHERE w.code = m.allowance OR (m.allowance IS NULL AND w.is_default AND w.unit_id = a.unit_id)
"""


@cache
def accounts_sql(*, one: bool, locked: bool, idle: bool = False) -> str:
    """Return Django's own statement that selects accounts, by a list of ids or by one, ``FOR NO KEY UPDATE``.

    ``no_key``, because rows that refer to an account are inserted beside a lock: a full FOR UPDATE would queue them.
    One account has a statement of its own: of a list PostgreSQL guesses the length, and plans anew for every request.
    """
    wanted = {"pk": UUID(int=0)} if one else {"pk__in": RawSQL("SELECT unnest(%s::uuid[])", [[]])}
    accounts = Account.objects.filter(**wanted).order_by("pk")
    if locked:
        accounts = accounts.select_for_update(no_key=True, of=("self",), skip_locked=idle)
    return str(accounts.values_list(*COLUMNS).query.sql_with_params()[0])


@cache
def reading_sql(*, one: bool, with_key: bool, locked: bool, idle: bool = False) -> str:
    """Return the statement that locks accounts and reads what a plan needs of them.

    A statement sees what was committed when it began, which may be long before it got the lock. So under a lock the
    lots and the key are read through VOLATILE functions, which look anew, and after the lock: they stand above it.
    """
    lots, key = "credits_grant g WHERE g.account_id = a.id AND g.is_open", "NULL"
    quotas = "credits_quota q WHERE q.account_id = a.id"
    if locked:
        lots, quotas = "credits_open_lots(a.id) g", "credits_quotas(a.id) q"
    if with_key:
        key = "(SELECT json_build_array(k.fingerprint, k.status, k.body) FROM credits_answers(a.id, %s, %s) k)::text"
    return f"""
        SELECT a.id, a.external_id, a.unit_id, a.status, a.balance, a.held, a.overdraft_limit, a.debt, a.sequence,
            a.version, encode(a.head_hash, 'hex') AS head, a.next_due_at, a.time_zone, a.week_starts_on,
            CASE WHEN m.allowance IS NOT NULL OR a.allowance_ends_at IS NULL THEN a.quota_anchor END,
            m.at, m.allowance,
            (SELECT json_agg(json_build_array({LOT})) FROM {lots})::text,
            (SELECT json_agg(json_build_array({QUOTA})) FROM {quotas})::text,
            (SELECT json_build_array(d.code, d.denied, d.limits) FROM ({ALLOWANCE}) d)::text,
            (SELECT max(p.id) FROM credits_price p), a.low_balance_threshold, a.recharged_to,
            coalesce(a.plugin_cached_until > clock_timestamp(), false),
            {key}
        FROM ({accounts_sql(one=one, locked=locked, idle=idle)}) AS a ({", ".join(COLUMNS)})
        CROSS JOIN LATERAL (
            SELECT c.at, CASE WHEN a.allowance_ends_at <= c.at THEN a.next_allowance_id ELSE a.allowance_id END
                AS allowance
            FROM (SELECT greatest(coalesce(%s::timestamptz, clock_timestamp()), a.last_recorded_at) AS at) AS c
        ) AS m
        ORDER BY a.id
    """  # every part is a constant of this module


def lock_accounts(ids: Collection[UUID], *, once: Once | None, at: datetime | None) -> dict[UUID, Sheet]:
    """Lock accounts in id order, answer a repeated request, and return a settled working copy of each that exists.

    What fell due by now is already planned on the sheets. ``at`` stands in for the clock; it is never taken to be
    before an account's last movement.
    Raises Replay or IdempotencyKeyReused for a key that was used before.
    """
    rows = _read(sorted(set(ids)), once, at)
    if once is not None:
        once.check(_record(rows[0]) if rows else once.find())
    return _settled(rows)


def lock_idle_accounts(ids: Collection[UUID], *, at: datetime | None) -> dict[UUID, Sheet]:
    """Lock those of the accounts that nobody else holds, without waiting, and return a settled working copy of each."""
    return _settled(_read(sorted(set(ids)), None, at, idle=True))


def lock_account(account: UUID, *, once: Once | None, at: datetime | None) -> Sheet:
    """Lock one account. Raises UnknownAccount, besides what ``lock_accounts`` raises."""
    return known(lock_accounts([account], once=once, at=at), account)


def known(sheets: dict[UUID, Sheet], account: UUID) -> Sheet:
    """Return an account's sheet. Raises UnknownAccount where there is none."""
    sheet = sheets.get(account)
    if sheet is None:
        raise refusals.UnknownAccount("There is no such account.")
    return sheet


def read_account(account: UUID, *, at: datetime | None = None) -> Sheet:
    """Return a working copy of an account as it is now, without a lock: for reading only. Raises UnknownAccount.

    It is settled as a lock would settle it, so nobody is shown credits that have lapsed but whose expiry is not posted.
    """
    rows = _read([account], None, at, locked=False)
    if not rows:
        raise refusals.UnknownAccount("There is no such account.")
    return _settled(rows)[account]


def read_with_holds(account: UUID, *, at: datetime | None = None) -> Sheet:
    """Return what ``read_account`` returns, with every open hold on it."""
    sheet = read_account(account, at=at)
    if sheet.held and not sheet.holds:
        history.load_open_holds({account: sheet})
    return sheet


def _read(
    ids: Sequence[UUID], once: Once | None, at: datetime | None, *, locked: bool = True, idle: bool = False
) -> list[tuple[Any, ...]]:
    one = len(ids) == 1
    key = [once.owner, once.key] if once is not None else []
    values = [*key, ids[0] if one else list(ids), at if at is not None else clock.moved()]
    with connection.cursor() as cursor:
        cursor.execute(reading_sql(one=one, with_key=once is not None, locked=locked, idle=idle), values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _settled(rows: list[tuple[Any, ...]]) -> dict[UUID, Sheet]:
    sheets = {row[0]: _sheet(row) for row in rows}
    due = {pk: sheet for pk, sheet in sheets.items() if sheet.next_due_at and sheet.next_due_at <= sheet.at}
    counted = {pk: sheet for pk, sheet in sheets.items() if sheet.quotas and sheet.held}
    if due or counted:
        history.load_open_holds({**due, **counted})
    if due:
        history.load_orders(due)
    for sheet in due.values():
        sheet.complete = True
        settle(sheet)
    return sheets


def _record(row: tuple[Any, ...]) -> tuple[str, int, str] | None:
    if row[-1] is None:
        return None
    fingerprint, status, body = orjson.loads(row[-1])
    return fingerprint, status, body


def _sheet(row: tuple[Any, ...]) -> Sheet:
    (
        pk, external_id, unit_id, status, balance, held, overdraft_limit, debt, sequence, version, head_hash,
        next_due_at, time_zone, week_starts_on, quota_anchor, at, chosen, lots, counts, allowance, book,
        threshold, full, cached, _record,
    ) = row  # fmt: skip
    sheet = Sheet(
        pk, Owner(external_id, unit_id), units.decimal_places(unit_id), status, balance, held, overdraft_limit, debt,
        sequence, version, head_hash, at, next_due_at, Calendar(time_zone, week_starts_on, quota_anchor), book or 0,
        threshold, full, cached,
    )  # fmt: skip
    if lots is not None:
        sheet.lots = sorted((lot(values) for values in orjson.loads(lots)), key=lambda one: one.turn)
        sheet.lots_by_id = {one.id: one for one in sheet.lots}
        sheet.in_lots = sum((one.remaining for one in sheet.lots), ZERO)
    if allowance is not None:
        sheet.allowance, denied, sheet.limits = orjson.loads(allowance)
        sheet.denied = frozenset(denied)
    if chosen is not None and sheet.allowance != chosen:
        # It was made while this statement waited for the lock, so that the statement could not see it.
        history.load_allowance(sheet, chosen)
    if counts is not None:
        sheet.quotas = {one.key: one for one in map(quota, orjson.loads(counts))}
    if sheet.quotas or sheet.limits:
        prepare(sheet)
    return sheet


def lot(values: list[Any]) -> Lot:
    """Return the working copy of a lot from the JSON array that ``LOT`` selects."""
    pk, amount, remaining, held, category, priority, expires_at, transferable, paid_currency, paid_minor, source = (
        values
    )
    return Lot(
        id=UUID(pk),
        amount=Decimal(amount),
        remaining=Decimal(remaining),
        held=Decimal(held),
        category=category,
        priority=priority,
        expires_at=datetime.fromisoformat(expires_at) if expires_at else None,
        transferable=transferable,
        paid_currency=paid_currency,
        paid_minor=paid_minor,
        source=source,
    )


def quota(values: list[Any]) -> QuotaCount:
    """Return the working copy of a quota from the JSON array that ``QUOTA`` selects."""
    feature, period, measure, since, start, resets_at, used, limit, hard, override, until, reason = values
    return QuotaCount(
        feature=feature,
        period=period,
        measure=measure,
        since_sequence=since,
        window_start=datetime.fromisoformat(start),
        resets_at=datetime.fromisoformat(resets_at),
        used=Decimal(used),
        limit=None if limit is None else Decimal(limit),
        hard=hard,
        override_limit=None if override is None else Decimal(override),
        override_until=datetime.fromisoformat(until) if until else None,
        override_reason=reason,
    )
