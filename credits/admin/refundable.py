"""Which spends of an account something is left to refund of."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from django.db.models import Exists, OuterRef

from credits.admin import show
from credits.admin.lists import as_uuid
from credits.models import Account, AccountStatus, Transaction, TransactionKind
from credits.plan import Sheet
from credits.plan.state import ZERO
from credits.plan.undo import SPENDS
from credits.services.locks import read_account

MOST_OFFERED = 25


def left_to_refund(sheet: Sheet, rows: Sequence[Transaction]) -> dict[UUID, Decimal]:
    """Return what is left of each of these movements that is a spend with something left."""
    spends = [row.pk for row in rows if row.kind in SPENDS]
    if not spends or sheet.status == AccountStatus.CLOSED:
        return {}
    left = {row.pk: -row.amount for row in rows if row.kind in SPENDS}
    reversals = Transaction.objects.filter(parent=OuterRef("pk"), kind=TransactionKind.REVERSAL)
    answers = Transaction.objects.filter(parent__in=spends).annotate(undone=Exists(reversals))
    for parent, kind, amount, undone in answers.values_list("parent_id", "kind", "amount", "undone"):
        if parent is not None and kind == TransactionKind.REVERSAL:
            left[parent] = ZERO
        # A refund that was itself reversed gave nothing back in the end.
        elif parent is not None and kind == TransactionKind.REFUND and not undone:
            left[parent] -= amount
    return {pk: amount for pk, amount in left.items() if amount > 0}


def refundable_spends(account: Account, asked: str) -> list[tuple[str, str]]:
    """Return the latest spends that can be refunded, as choices; where one is asked for by id, only that one."""
    rows = Transaction.objects.filter(account=account.pk)
    pk = as_uuid(asked)
    found = list(rows.filter(pk=pk)) if pk else []
    if not found:
        found = list(rows.filter(kind__in=SPENDS).order_by("-sequence")[:MOST_OFFERED])
        left = left_to_refund(read_account(account.pk), found)
        found = [row for row in found if row.pk in left]
    return [(str(row.pk), _label(row, account.unit_id)) for row in found]


def _label(row: Transaction, unit: str) -> str:
    what = row.description or row.feature or row.get_kind_display()
    return f"{show.utc(row.recorded_at)} · {show.amount(row.amount, unit, signed=True)} · {show.unturned(what[:60])}"
