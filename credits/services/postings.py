"""The one door to the ledger's tables: writes what was planned on the sheets, in a single statement.

The rows travel as JSON, one parameter for each table, so that one movement and ten thousand take the same statement.
Where a table gets a single row the statement says so: PostgreSQL then looks rows up by their key and never plans again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache, partial
from typing import Any, TypeVar
from uuid import UUID

import orjson
from django.db import connection, transaction

from credits import listeners
from credits.amounts import plain
from credits.plan import Lot, Memo, Movement, Reservation, Sheet
from credits.plan.state import Draws, QuotaCount, StandingOrder
from credits.services import events, plugin_status
from credits.services.once import Once

T = TypeVar("T")
Row = dict[str, Any]

MEMO = {
    "feature": "text",
    "description": "text",
    "reason": "text",
    "reference_type": "text",
    "reference_id": "text",
    "metadata": "jsonb",
    "actor_kind": "text",
    "actor_id": "text",
    "actor_name": "text",
    "request_id": "text",
}
TRANSACTION = {
    "id": "uuid",
    "account_id": "uuid",
    "sequence": "bigint",
    "kind": "text",
    "amount": "numeric(20,6)",
    "balance_before": "numeric(20,6)",
    "balance_after": "numeric(20,6)",
    "debt": "numeric(20,6)",
    "counterparty": "text",
    "draws": "jsonb",
    "parent_id": "uuid",
    "hold_id": "uuid",
    "price_id": "bigint",
    "quantity": "numeric(30,12)",
    "usage": "jsonb",
    "day": "date",
    "recorded_at": "timestamptz",
    **MEMO,
}
# The hash that the first of an account's new transactions follows.
HEAD = {"head": "text"}
NEW_LOT = {
    "id": "uuid",
    "account_id": "uuid",
    "amount": "numeric",
    "remaining": "numeric",
    "held": "numeric",
    "is_open": "boolean",
    "category": "text",
    "priority": "smallint",
    "expires_at": "timestamptz",
    "transferable": "boolean",
    "paid_currency": "text",
    "paid_minor": "bigint",
    "source": "text",
    "origin_id": "uuid",
    "opening_sequence": "bigint",
    "created_at": "timestamptz",
}
LOT = {"id": "uuid", "remaining": "numeric", "held": "numeric"}
NEW_HOLD = {
    "id": "uuid",
    "account_id": "uuid",
    "amount": "numeric",
    "captured": "numeric",
    "status": "text",
    "lots": "jsonb",
    "abandonment_charge": "numeric",
    "price_id": "bigint",
    "quantity": "numeric",
    "captured_quantity": "numeric",
    "usage": "jsonb",
    "freezes_id": "uuid",
    "expires_at": "timestamptz",
    "created_at": "timestamptz",
    "closed_at": "timestamptz",
    **MEMO,
}
HOLD = {
    "id": "uuid",
    "captured": "numeric",
    "captured_quantity": "numeric",
    "status": "text",
    "lots": "jsonb",
    "expires_at": "timestamptz",
    "closed_at": "timestamptz",
}
QUOTA = {
    "account_id": "uuid",
    "feature": "text",
    "period": "text",
    "measure": "text",
    "limit": "numeric",
    "hard": "boolean",
    "override_limit": "numeric",
    "override_until": "timestamptz",
    "override_reason": "text",
    "used": "numeric",
    "since_sequence": "bigint",
    "window_start": "timestamptz",
    "resets_at": "timestamptz",
}
QUOTA_KEY = ("account_id", "feature", "period", "measure")
WINDOW = {
    "account_id": "uuid",
    "feature": "text",
    "period": "text",
    "measure": "text",
    "window_start": "timestamptz",
    "window_end": "timestamptz",
    "used": "numeric",
    "limit": "numeric",
}
ORDER = {"id": "bigint", "next_period": "integer", "next_at": "timestamptz"}
ACCOUNT = {
    "id": "uuid",
    "balance": "numeric",
    "held": "numeric",
    "debt": "numeric",
    "sequence": "bigint",
    "version": "bigint",
    "next_due_at": "timestamptz",
    "recharged_to": "numeric",
}


class StaleSheet(Exception):
    """A sheet was planned on an account that changed since: it was not locked. A defect; nothing was written."""


def post(sheets: Iterable[Sheet], result: T, once: Once | None) -> T:
    """Write everything planned on the sheets, and the answer to the request, in one statement. Returns the result.

    Raises StaleSheet where an account is not as it was locked. Constraints of the database judge the rest.
    """
    changed = [sheet for sheet in sheets if sheet.touched]
    # First, because an account remembers what they tell of.
    told = events.told(changed)
    parts: dict[str, list[Row]] = {
        "transactions": [_transaction(row, sheet) for sheet in changed for row in sheet.movements],
        "new_lots": [_new_lot(lot, sheet) for sheet in changed for lot in sheet.lots_by_id.values() if lot.is_new],
        "lots": [_lot(lot) for sheet in changed for lot in sheet.lots_by_id.values() if lot.changed and not lot.is_new],
        "new_holds": [_new_hold(held, sheet) for sheet in changed for held in sheet.holds.values() if held.is_new],
        "holds": [
            _hold(held) for sheet in changed for held in sheet.holds.values() if held.changed and not held.is_new
        ],
        "quotas": [_quota(count, sheet) for sheet in changed for count in sheet.quotas.values() if count.changed],
        "windows": [row for sheet in changed for count in sheet.quotas.values() for row in _windows(count, sheet)],
        "orders": [_order(order) for sheet in changed for order in sheet.orders if order.changed],
        "accounts": [_account(sheet) for sheet in changed],
        "events": told,
    }
    written = tuple((name, len(rows) == 1) for name, rows in parts.items() if rows)
    values: list[Any] = [
        orjson.dumps(parts[name][0] if single else parts[name], default=plain).decode() for name, single in written
    ]
    if once is not None:
        account = changed[0].id if len(changed) == 1 else None
        values += [*once.row(once.answer_to(result)), account]
    if values:
        with connection.cursor() as cursor:
            cursor.execute(statement(written, with_key=once is not None), values)
            if cursor.fetchone() != (len(changed),):
                raise StaleSheet(f"{len(changed)} accounts were planned on; not all were as locked.")
    if told:
        listeners.tell()
    if kept := plugin_status.kept_of(changed):
        transaction.on_commit(partial(plugin_status.forget, kept))
    return result


@cache
def statement(written: tuple[tuple[str, bool], ...], *, with_key: bool) -> str:
    """Return the data-modifying statement that writes these tables, each a single row or many, and the key's record."""
    names = {name for name, _ in written}
    clauses = [_clause(name, single=single, moves="transactions" in names) for name, single in written]
    if with_key:
        clauses.append(
            "record AS (INSERT INTO credits_idempotencyrecord"
            " (owner, key, fingerprint, status, body, account_id, created_at)"
            " VALUES (%s, %s, %s, %s, %s, %s::uuid, clock_timestamp()))"
        )
    counted = "(SELECT count(*) FROM accounts)" if "accounts" in names else "0"
    return f"WITH {', '.join(clauses)} SELECT {counted}"  # every part is a constant of this module


def _clause(name: str, *, single: bool, moves: bool) -> str:
    """Return one table's clause. Where movements are written, their accounts take over the last one's hash."""
    names = ", ".join(TRANSACTION)
    head = "head_hash = t.hash, last_recorded_at = t.recorded_at," if moves else ""
    from_head = "LEFT JOIN transactions t ON t.account_id = x.id AND t.sequence = x.sequence" if moves else ""
    unmoved = head.replace("t.hash", "coalesce(t.hash, a.head_hash)").replace(
        "t.recorded_at", "coalesce(t.recorded_at, a.last_recorded_at)"
    )
    return (
        f"{name} AS ("
        + {
            "transactions": f"""
            INSERT INTO credits_transaction ({names}, hash)
            SELECT {names}, credits_chain(decode(x.head, 'hex'), credits_transaction_bytes({names}))
                OVER (PARTITION BY x.account_id ORDER BY x.sequence)
            FROM {_rows(TRANSACTION | HEAD, single=single)}
            RETURNING account_id, sequence, hash, recorded_at""",
            "new_lots": _insert("credits_grant", NEW_LOT, single=single),
            "lots": f"""
            UPDATE credits_grant g SET remaining = x.remaining, held = x.held, is_open = x.remaining > 0
            FROM {_rows(LOT, single=single)} WHERE g.id = x.id""",
            "new_holds": _insert("credits_hold", NEW_HOLD, single=single),
            "holds": f"""
            UPDATE credits_hold h SET captured = x.captured, captured_quantity = x.captured_quantity,
                status = x.status, lots = x.lots, expires_at = x.expires_at, closed_at = x.closed_at
            FROM {_rows(HOLD, single=single)} WHERE h.id = x.id""",
            "quotas": _insert("credits_quota", QUOTA, single=single)
            + f" ON CONFLICT ({', '.join(QUOTA_KEY)}) DO UPDATE SET "
            + ", ".join(f"{column} = excluded.{column}" for column in _quoted(QUOTA) if column not in QUOTA_KEY),
            "windows": _insert("credits_quotawindow", WINDOW, single=single) + " ON CONFLICT DO NOTHING",
            "orders": f"""
            UPDATE credits_allotment o SET next_period = x.next_period, next_at = x.next_at
            FROM {_rows(ORDER, single=single)} WHERE o.id = x.id""",
            "accounts": f"""
            UPDATE credits_account a SET balance = x.balance, held = x.held, debt = x.debt, sequence = x.sequence,
                {unmoved} version = x.version + 1, next_due_at = x.next_due_at,
                recharged_to = x.recharged_to
            FROM {_rows(ACCOUNT, single=single)} {from_head}
            WHERE a.id = x.id AND a.version = x.version
            RETURNING a.id""",
            "events": _insert("credits_event", events.EVENT, single=single),
        }[name]
        + ")"
    )


def _rows(columns: dict[str, str], *, single: bool) -> str:
    read = "json_to_record" if single else "json_to_recordset"
    declared = ", ".join(f"{name} {kind}" for name, kind in zip(_quoted(columns), columns.values(), strict=True))
    return f"{read}(%s::json) AS x ({declared})"


def _insert(table: str, columns: dict[str, str], *, single: bool) -> str:
    names = ", ".join(_quoted(columns))
    return f"INSERT INTO {table} ({names}) SELECT {names} FROM {_rows(columns, single=single)}"


def _quoted(columns: Iterable[str]) -> list[str]:
    return [f'"{name}"' if name == "limit" else name for name in columns]


def _memo(memo: Memo) -> Row:
    return {
        "feature": memo.feature,
        "description": memo.description,
        "reason": memo.reason,
        "reference_type": memo.reference_type,
        "reference_id": memo.reference_id,
        "metadata": memo.metadata,
        "actor_kind": memo.actor.kind,
        "actor_id": memo.actor.id,
        "actor_name": memo.actor.name,
        "request_id": memo.request_id,
    }


def _transaction(row: Movement, sheet: Sheet) -> Row:
    return {
        "id": row.id,
        "account_id": sheet.id,
        "sequence": row.sequence,
        "kind": row.kind,
        "amount": row.amount,
        "balance_before": row.balance_before,
        "balance_after": row.balance_after,
        "debt": row.debt,
        "counterparty": row.counterparty,
        "draws": _stored(row.draws),
        "parent_id": row.parent_id,
        "hold_id": row.hold_id,
        "price_id": row.charge.price,
        "quantity": row.charge.quantity,
        "usage": row.charge.usage,
        "day": row.day,
        "recorded_at": row.recorded_at,
        **_memo(row.memo),
        "head": sheet.head_hash if row is sheet.movements[0] else None,
    }


def _new_lot(lot: Lot, sheet: Sheet) -> Row:
    return {
        "id": lot.id,
        "account_id": sheet.id,
        "amount": lot.amount,
        "remaining": lot.remaining,
        "held": lot.held,
        "is_open": bool(lot.remaining),
        "category": lot.category,
        "priority": lot.priority,
        "expires_at": lot.expires_at,
        "transferable": lot.transferable,
        "paid_currency": lot.paid_currency,
        "paid_minor": lot.paid_minor,
        "source": lot.source,
        "origin_id": lot.origin,
        "opening_sequence": lot.opening_sequence,
        "created_at": sheet.at,
    }


def _lot(lot: Lot) -> Row:
    return {"id": lot.id, "remaining": lot.remaining, "held": lot.held}


def _new_hold(held: Reservation, sheet: Sheet) -> Row:
    return {
        **_hold(held),
        "account_id": sheet.id,
        "amount": held.amount,
        "abandonment_charge": held.abandonment_charge,
        "price_id": held.charge.price,
        "quantity": held.charge.quantity,
        "usage": held.charge.usage,
        "freezes_id": held.freezes,
        "created_at": held.created_at,
        **_memo(held.memo),
    }


def _hold(held: Reservation) -> Row:
    return {
        "id": held.id,
        "captured": held.captured,
        "captured_quantity": held.captured_quantity,
        "status": held.status,
        "lots": _stored(held.lots),
        "expires_at": held.expires_at,
        "closed_at": held.closed_at,
    }


def _quota(count: QuotaCount, sheet: Sheet) -> Row:
    return {"account_id": sheet.id, **{name: getattr(count, name) for name in QUOTA if name != "account_id"}}


def _windows(count: QuotaCount, sheet: Sheet) -> Iterator[Row]:
    for start, end, used, limit in count.closed:
        yield {
            "account_id": sheet.id,
            "feature": count.feature,
            "period": count.period,
            "measure": count.measure,
            "window_start": start,
            "window_end": end,
            "used": used,
            "limit": limit,
        }


def _order(order: StandingOrder) -> Row:
    return {"id": order.id, "next_period": order.next_period, "next_at": order.next_at}


def _account(sheet: Sheet) -> Row:
    return {
        "id": sheet.id,
        "balance": sheet.balance,
        "held": sheet.held,
        "debt": sheet.debt,
        "sequence": sheet.sequence,
        "version": sheet.version,
        "next_due_at": sheet.next_due_at,
        "recharged_to": sheet.recharged_to,
    }


def _stored(draws: Draws) -> list[tuple[UUID, str]]:
    """Return draws as they are kept: amounts as text, which no reader of JSON turns into a float."""
    return [(lot_id, f"{part:f}") for lot_id, part in draws]
