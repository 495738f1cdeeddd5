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
from credits.plan.state import ZERO
from credits.services import clock, history
from credits.services.once import Once

COLUMNS = (
    "id", "external_id", "unit_id", "status", "balance", "held", "overdraft_limit", "debt",
    "sequence", "version", "head_hash", "last_recorded_at", "next_due_at",
)  # fmt: skip
LOT = (
    "g.id, g.amount::text, g.remaining::text, g.held::text, g.category, g.priority, g.expires_at, g.transferable,"
    " g.paid_currency, g.paid_minor"
)


@cache
def accounts_sql(*, one: bool, locked: bool) -> str:
    """Return Django's own statement that selects accounts, by a list of ids or by one, ``FOR NO KEY UPDATE``.

    ``no_key``, because rows that refer to an account are inserted beside a lock: a full FOR UPDATE would queue them.
    One account has a statement of its own: of a list PostgreSQL guesses the length, and plans anew for every request.
    """
    wanted = {"pk": UUID(int=0)} if one else {"pk__in": RawSQL("SELECT unnest(%s::uuid[])", [[]])}
    accounts = Account.objects.filter(**wanted).order_by("pk")
    if locked:
        accounts = accounts.select_for_update(no_key=True, of=("self",))
    return str(accounts.values_list(*COLUMNS).query.sql_with_params()[0])


@cache
def reading_sql(*, one: bool, with_key: bool, locked: bool) -> str:
    """Return the statement that locks accounts and reads what a plan needs of them.

    A statement sees what was committed when it began, which may be long before it got the lock. So under a lock the
    lots and the key are read through VOLATILE functions, which look anew, and after the lock: they stand above it.
    """
    lots, key = "credits_grant g WHERE g.account_id = a.id AND g.is_open", "NULL"
    if locked:
        lots = "credits_open_lots(a.id) g"
    if with_key:
        key = "(SELECT json_build_array(k.fingerprint, k.status, k.body) FROM credits_answers(a.id, %s, %s) k)::text"
    return f"""
        SELECT a.id, a.external_id, a.unit_id, a.status, a.balance, a.held, a.overdraft_limit, a.debt, a.sequence,
            a.version, encode(a.head_hash, 'hex') AS head, a.next_due_at, m.at,
            (SELECT json_agg(json_build_array({LOT})) FROM {lots})::text,
            {key}
        FROM ({accounts_sql(one=one, locked=locked)}) AS a ({", ".join(COLUMNS)})
        CROSS JOIN LATERAL (
            SELECT greatest(coalesce(%s::timestamptz, clock_timestamp()), a.last_recorded_at) AS at
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
    return {row[0]: _settled(row) for row in rows}


def lock_account(account: UUID, *, once: Once | None, at: datetime | None) -> Sheet:
    """Lock one account. Raises UnknownAccount, besides what ``lock_accounts`` raises."""
    return known(lock_accounts([account], once=once, at=at), account)


def lock_idle_accounts(ids: Collection[UUID], *, at: datetime | None) -> dict[UUID, Sheet]:
    """Lock those of the accounts that nobody else holds, without waiting, and return a settled working copy of each."""
    idle = Account.objects.filter(pk__in=ids).select_for_update(no_key=True, skip_locked=True, of=("self",))
    locked = list(idle.order_by("pk").values_list("pk", flat=True))
    return lock_accounts(locked, once=None, at=at) if locked else {}


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
    return _settled(rows[0])


def _read(ids: Sequence[UUID], once: Once | None, at: datetime | None, *, locked: bool = True) -> list[tuple[Any, ...]]:
    one = len(ids) == 1
    key = [once.owner, once.key] if once is not None else []
    values = [*key, ids[0] if one else list(ids), at if at is not None else clock.moved()]
    with connection.cursor() as cursor:
        cursor.execute(reading_sql(one=one, with_key=once is not None, locked=locked), values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _settled(row: tuple[Any, ...]) -> Sheet:
    sheet = _sheet(row)
    if sheet.next_due_at is not None and sheet.next_due_at <= sheet.at:
        history.load_open_holds(sheet)
        settle(sheet)
    return sheet


def _record(row: tuple[Any, ...]) -> tuple[str, int, str] | None:
    if row[-1] is None:
        return None
    fingerprint, status, body = orjson.loads(row[-1])
    return fingerprint, status, body


def _sheet(row: tuple[Any, ...]) -> Sheet:
    (
        pk, external_id, unit_id, status, balance, held, overdraft_limit, debt, sequence, version, head_hash,
        next_due_at, at, lots, _record,
    ) = row  # fmt: skip
    sheet = Sheet(
        pk, Owner(external_id, unit_id), units.decimal_places(unit_id), status, balance, held, overdraft_limit, debt,
        sequence, version, head_hash, at, next_due_at,
    )  # fmt: skip
    if lots is not None:
        sheet.lots = sorted((lot(values) for values in orjson.loads(lots)), key=lambda one: one.turn)
        sheet.lots_by_id = {one.id: one for one in sheet.lots}
        sheet.in_lots = sum((one.remaining for one in sheet.lots), ZERO)
    return sheet


def lot(values: list[Any]) -> Lot:
    """Return the working copy of a lot from the JSON array that ``LOT`` selects."""
    pk, amount, remaining, held, category, priority, expires_at, transferable, paid_currency, paid_minor = values
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
    )
