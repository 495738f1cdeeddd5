"""What a plan may need of an account's past, read under its lock: holds, movements to answer, used references."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL

from credits.models import Allotment, Allowance, Grant, Hold, HoldStatus, Transaction, TransactionKind
from credits.models.memo import MemoFields
from credits.plan import Actor, Charge, Lot, Memo, Movement, Owner, Posted, Reservation, Sheet
from credits.plan.lots import family
from credits.plan.state import ZERO, Draws, StandingOrder


def load_open_holds(sheets: dict[UUID, Sheet]) -> None:
    """Put every open hold of the accounts on their sheets."""
    _place_holds(sheets, Hold.objects.filter(account_id__in=sheets, status=HoldStatus.OPEN))


def load_orders(sheets: dict[UUID, Sheet]) -> None:
    """Put every running standing order of the accounts on their sheets."""
    for row in Allotment.objects.filter(account_id__in=sheets, next_at__isnull=False).order_by("pk"):
        sheets[row.account_id].orders.append(order_of(row))


def load_allowance(sheet: Sheet, code: str) -> None:
    """Put an allowance's terms on a sheet."""
    allowance = Allowance.objects.get(pk=code)
    sheet.allowance, sheet.denied, sheet.limits = code, frozenset(allowance.denied), allowance.limits


def load_holds(sheets: dict[UUID, Sheet], ids: Iterable[UUID]) -> dict[UUID, Reservation]:
    """Put holds on their accounts' sheets and return those found, by id."""
    wanted = set(ids)
    missing = wanted - {pk for sheet in sheets.values() for pk in sheet.holds}
    if missing:
        _place_holds(sheets, Hold.objects.filter(pk__in=missing, account_id__in=sheets))
    return {pk: held for sheet in sheets.values() for pk, held in sheet.holds.items() if pk in wanted}


def load_posted(sheets: dict[UUID, Sheet], ids: Iterable[UUID]) -> dict[UUID, Posted]:
    """Put movements on their accounts' sheets with what was given back of them, and return those found, by id."""
    wanted = set(ids)
    rows = Transaction.objects.filter(pk__in=wanted, account_id__in=sheets)
    found = {row.pk: Posted(movement_of(row, sheets[row.account_id].owner)) for row in rows}
    _mark_orphaned_refunds(found.values())
    undone = Transaction.objects.filter(parent__in=found, kind=TransactionKind.REVERSAL).values("parent_id")
    for pk in undone.values_list("parent_id", flat=True):
        found[pk].reversed = True
    refunds = Transaction.objects.filter(parent__in=found, kind=TransactionKind.REFUND)
    # A refund that was itself reversed gave nothing back in the end.
    for refund in refunds.exclude(children__kind=TransactionKind.REVERSAL):
        spent = found[refund.parent_id]  # type: ignore[index]  # the filter on parent leaves no None
        spent.given_back += refund.amount
        spent.quantity_back += refund.quantity
        for lot_id, part in draws_of(refund.draws):
            spent.by_lot[lot_id] = spent.by_lot.get(lot_id, ZERO) + part
    _load_clawbacks(found)
    drawn: dict[UUID, set[UUID]] = {}
    for posted in found.values():
        account = posted.movement.owner.account
        sheets[account].posted[posted.movement.id] = posted
        drawn.setdefault(account, set()).update(lot_id for lot_id, _ in posted.movement.draws)
    for account, lots in drawn.items():
        _load_lots(sheets[account], lots)
    return found


def _mark_orphaned_refunds(found: Iterable[Posted]) -> None:
    """Mark the refunds whose spend was reversed: taking them back would take what the reversal counted."""
    refunds = [posted for posted in found if posted.movement.kind == TransactionKind.REFUND]
    if not refunds:
        return
    spends = {posted.movement.parent_id for posted in refunds}
    reversals = Transaction.objects.filter(parent__in=spends, kind=TransactionKind.REVERSAL)
    gone = set(reversals.values_list("parent_id", flat=True))
    for posted in refunds:
        posted.parent_reversed = posted.movement.parent_id in gone


def _load_clawbacks(found: dict[UUID, Posted]) -> None:
    """Put on movements what clawbacks took back of them and have not given back since."""
    for row in Transaction.objects.filter(parent__in=found, kind=TransactionKind.CLAWBACK):
        bought = found[row.parent_id]  # type: ignore[index]  # the filter on parent leaves no None
        bought.clawed += row.debt - row.amount
        bought.clawed_owed += row.debt
        for lot_id, part in draws_of(row.draws):
            bought.clawed_by_lot[lot_id] = bought.clawed_by_lot.get(lot_id, ZERO) - part


def load_expired(bought: Posted, lot: UUID, sheet: Sheet) -> None:
    """Put on a movement what expired of the lot that it opened, posted or planned."""
    planned = (row for row in sheet.movements if row.kind == TransactionKind.EXPIRY)
    bought.expired -= sum((row.amount for row in planned if row.draws[0][0] == lot), ZERO)
    rows = Transaction.objects.filter(account_id=bought.movement.owner.account, kind=TransactionKind.EXPIRY)
    for amount in rows.filter(draws__contains=[[str(lot)]]).values_list("amount", flat=True):
        bought.expired -= amount


# More references than this are looked up as an array.
FEW = 20


def load_references(sheets: dict[UUID, Sheet], used: Iterable[tuple[UUID, Memo]]) -> None:
    """Put on the sheets every movement and hold that one of these references caused before."""
    wanted = {(account, memo.reference_type, memo.reference_id) for account, memo in used if memo.reference_id}
    if not wanted:
        return
    ids = {reference_id for _, _, reference_id in wanted}
    accounts: Any = sheets
    named: Any = ids
    if len(ids) > FEW:
        # As arrays: thousands of placeholders take longer to write down and to plan than to look up.
        accounts = RawSQL("SELECT unnest(%s::uuid[])", [list(sheets)])
        named = RawSQL("SELECT unnest(%s::text[])", [list(ids)])
    for row in Transaction.objects.filter(account_id__in=accounts, reference_id__in=named):
        sheet = sheets[row.account_id]
        sheet.references[row.reference_type, row.reference_id, family(row.kind)] = movement_of(row, sheet.owner)
    holds = Hold.objects.filter(account_id__in=accounts, reference_id__in=named)
    for hold in holds:
        sheet = sheets[hold.account_id]
        planned = sheet.holds.get(hold.pk) or reservation_of(hold, sheet.owner)
        sheet.hold_references[hold.reference_type, hold.reference_id] = planned


def movement_of(row: Transaction, owner: Owner) -> Movement:
    """Return a stored transaction as plans and callers see it."""
    return Movement(
        row.pk, owner, row.sequence, row.kind, row.amount, row.balance_before, row.balance_after, row.debt,
        row.counterparty, draws_of(row.draws), memo_of(row), row.parent_id, row.hold_id, row.recorded_at, row.day,
        Charge(row.quantity, row.price_id, row.usage),
    )  # fmt: skip


def reservation_of(row: Hold, owner: Owner) -> Reservation:
    """Return a stored hold as plans and callers see it."""
    return Reservation(
        row.pk, owner, row.amount, row.captured, row.status, draws_of(row.lots), row.abandonment_charge,
        row.expires_at, memo_of(row), row.created_at, row.closed_at, Charge(row.quantity, row.price_id, row.usage),
        row.captured_quantity, row.freezes_id,
    )  # fmt: skip


def order_of(row: Allotment) -> StandingOrder:
    """Return a stored allotment as plans see it."""
    return StandingOrder(
        row.pk, row.description, row.amount, row.first_amount, row.covered, row.first_period, row.priority,
        row.anchor, row.time_zone, row.months, row.rollover_cap, row.next_period, row.next_at, row.ends_at,
    )  # fmt: skip


def memo_of(row: MemoFields) -> Memo:
    """Return who caused a stored row and why."""
    return Memo(
        actor=Actor(row.actor_kind, row.actor_id, row.actor_name),
        feature=row.feature,
        description=row.description,
        reason=row.reason,
        reference_type=row.reference_type,
        reference_id=row.reference_id,
        metadata=row.metadata,
        request_id=row.request_id,
    )


def draws_of(stored: list[list[Any]]) -> Draws:
    """Return stored draws with their types."""
    return [(UUID(lot_id), Decimal(part)) for lot_id, part in stored]


def _place_holds(sheets: dict[UUID, Sheet], holds: QuerySet[Hold]) -> None:
    for row in holds:
        sheet = sheets[row.account_id]
        sheet.holds[row.pk] = reservation_of(row, sheet.owner)


def _load_lots(sheet: Sheet, ids: set[UUID]) -> None:
    """Put closed lots on the sheet, so that credits can go back to them."""
    for row in Grant.objects.filter(Q(pk__in=ids - sheet.lots_by_id.keys()), account_id=sheet.id):
        sheet.place(
            Lot(
                id=row.pk,
                amount=row.amount,
                remaining=row.remaining,
                held=row.held,
                category=row.category,
                priority=row.priority,
                expires_at=row.expires_at,
                transferable=row.transferable,
                paid_currency=row.paid_currency,
                paid_minor=row.paid_minor,
                source=row.source,
            )
        )
