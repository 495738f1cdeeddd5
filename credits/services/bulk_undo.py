"""What taking back the lines of a bulk would do: each from the lot that it opened, or to the lots that it drew from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from credits.amounts import say
from credits.models import AccountStatus, BulkAdjustment, BulkLine, BulkStatus, Grant, LineStatus, Transaction
from credits.models.transactions import TransactionKind
from credits.plan.state import ZERO
from credits.services.history import draws_of

AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class Back:
    """By how much taking a line back would change the balance now; or why it cannot be."""

    amount: Decimal
    error: str = ""
    note: str = ""


def is_taken_back(row: BulkAdjustment) -> bool:
    """Tell whether every line that was done has been taken back."""
    return sum(row.undone_by.values_list("done_count", flat=True)) >= row.done_count


def being_taken_back(row: BulkAdjustment) -> bool:
    """Tell whether one that takes it back has not ended."""
    return row.undone_by.filter(status__in=[BulkStatus.CHECKED, BulkStatus.RUNNING]).exists()


def foresee_lines(row: BulkAdjustment) -> Iterator[tuple[BulkLine, Back]]:
    """Return each line that was done and not taken back yet, with what taking it back would do now."""
    gone = BulkLine.objects.filter(bulk__undoes=row, status=LineStatus.DONE).values("number")
    lines = row.lines.filter(status=LineStatus.DONE).exclude(number__in=gone).order_by("number")
    left = list(lines.select_related("account"))
    for start in range(0, len(left), AT_ONCE):
        part = left[start : start + AT_ONCE]
        lots = _Lots.of([line.movement_id for line in part if line.movement_id])
        for line in part:
            yield line, _back(line, lots)


def possible_amounts(row: BulkAdjustment, ready: Mapping[int, Decimal]) -> list[Decimal]:
    """Return the amounts of those waiting lines, by number, of one that takes back ``row`` that could be done now."""
    now = {line.number: back for line, back in foresee_lines(row) if line.number in ready and not back.error}
    return [
        amount
        for number, amount in ready.items()
        if number in now and (now[number].amount <= amount < 0 or now[number].amount == amount)
    ]


def movements_of(row: BulkAdjustment, numbers: Sequence[int]) -> dict[int, tuple[UUID, Decimal]]:
    """Return which movement each line that is taken back made, and its amount."""
    lines = row.lines.filter(number__in=numbers, status=LineStatus.DONE)
    made = lines.values_list("number", "movement_id", "amount")
    return {number: (movement, amount) for number, movement, amount in made if movement and amount is not None}


@dataclass(frozen=True, slots=True)
class _Lots:
    """The movements of some lines, which of them were reversed, and the lots that they changed."""

    movements: dict[UUID, Transaction]
    reversed: set[UUID | None]
    grants: dict[UUID, Grant] = field(default_factory=dict)

    @classmethod
    def of(cls, movements: Sequence[UUID]) -> _Lots:
        found = Transaction.objects.only("amount", "draws").in_bulk(movements)
        undone = Transaction.objects.filter(parent__in=found, kind=TransactionKind.REVERSAL)
        ids = {lot for movement in found.values() for lot, part in draws_of(movement.draws) if part > 0}
        grants = Grant.objects.only("remaining", "held").in_bulk(list(ids))
        return cls(found, set(undone.values_list("parent_id", flat=True)), grants)

    def free(self, movement: Transaction) -> Decimal:
        """Return what the lots that a movement filled still have free of it."""
        filled = [(self.grants[lot], part) for lot, part in draws_of(movement.draws) if part > 0]
        return sum((min(part, lot.remaining - lot.held) for lot, part in filled), ZERO)


def _back(line: BulkLine, lots: _Lots) -> Back:
    owner, movement = line.account, lots.movements.get(line.movement_id) if line.movement_id else None
    if owner is None or movement is None:
        return Back(ZERO, "It has no movement.")
    whole = Back(-movement.amount)
    if movement.pk in lots.reversed:
        return Back(whole.amount, "Its movement was reversed before.")
    if owner.status == AccountStatus.CLOSED:
        return Back(whole.amount, "The account is closed.")
    if movement.amount < 0:
        return whole
    left = min(lots.free(movement), max(owner.balance - owner.held, ZERO), movement.amount)
    if not left:
        return Back(whole.amount, f"Nothing is left of the {say(movement.amount)} that it brought.")
    if left < movement.amount:
        return Back(-left, note=f"{say(left)} of {say(movement.amount)} are left")
    return whole
