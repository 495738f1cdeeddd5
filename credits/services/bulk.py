"""Many adjustments at once: checked line by line, applied in slices, undone by lines of their own.

Each line's movement refers to its line, and that reference moves credits once for ever; a slice's movements and its
lines commit together. So a worker that is killed is taken up by the next, and nothing is done twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from itertools import islice
from typing import TypeVar
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from credits import refusals, units
from credits.amounts import read_written, say
from credits.models import Account, AccountStatus, BulkAdjustment, BulkLine, BulkStatus, LineStatus
from credits.models.accounts import account_id
from credits.models.fields import MAX_AMOUNT, MAX_BALANCE
from credits.plan import Actor, Memo
from credits.plan.state import ZERO
from credits.services import bulk_undo
from credits.services.approvals import withdrawing_requests
from credits.services.batch import Item, Verb, post_batch
from credits.services.bulk_log import record_finish, sums_of
from credits.services.bulk_undo import Back
from credits.services.runs import Done

T = TypeVar("T")
MOST_LINES = 50_000
SLICE = 500
REFERENCE = "bulk"
# Lines that their account lets be done now.
POSSIBLE = ~Q(account__status=AccountStatus.CLOSED) & (
    Q(amount__gt=0) | Q(account__balance__gte=F("account__held") - F("amount"))
)


@dataclass(frozen=True, slots=True)
class Why:
    """Who asks for it, and why."""

    actor: Actor
    reason: str
    note: str = ""
    ticket: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A line as it was read: everything still text. ``error`` tells what could not be read of it."""

    number: int
    external_id: str
    amount: str
    note: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """How many lines would be done, what they would add and take, and how many cannot be done."""

    lines: int
    added: Decimal
    taken: Decimal
    wrong: int


def check_bulk(*, file_name: str, unit: str, lines: Iterable[Asked], why: Why) -> BulkAdjustment:
    """Check every line and keep them, good and bad. Moves nothing.

    Raises InvalidField where there are no lines, or more than fifty thousand, or where they are too much in all.
    """
    asked = list(islice(lines, MOST_LINES + 1))
    if not asked:
        raise refusals.InvalidField("file", "There are no lines in it.")
    if len(asked) > MOST_LINES:
        raise refusals.InvalidField("file", f"There are more than {MOST_LINES:,} lines in it: split it.")
    seen: set[str] = set()
    rows: list[BulkLine] = []
    for part in _slices(asked, 5000):
        ids = {account_id(line.external_id, unit): line for line in part}
        known = _owners(ids)
        rows += [_checked(line, unit, known.get(account_id(line.external_id, unit)), seen) for line in part]
    return _keep(rows, file_name, unit, why, digest=_digest(asked, unit))


def undo_bulk(*, bulk: int, actor: Actor, request_id: str = "") -> BulkAdjustment:
    """Prepare the lines that take back what another one did, to be looked at and confirmed. Moves nothing.

    Lines that were taken back by an earlier one are left out. Raises InvalidField where it is not done, where nothing
    is left of it, or where one that takes it back has not ended.
    """
    with transaction.atomic():
        done = BulkAdjustment.objects.select_for_update(no_key=True).get(pk=bulk)
        if done.status != BulkStatus.DONE or done.undoes_id or not done.done_count:
            raise refusals.InvalidField("bulk", "There is nothing to take back.")
        if bulk_undo.being_taken_back(done):
            raise refusals.InvalidField("bulk", "It is being taken back already.")
        if bulk_undo.is_taken_back(done):
            raise refusals.InvalidField("bulk", "All of it was taken back.")
        rows = [_taking_back(line, back, done.file_name) for line, back in bulk_undo.foresee_lines(done)]
        why = Why(actor, done.reason, f"Takes back {done.file_name}"[:500], done.ticket, request_id)
        return _keep(rows, f"Undo of {done.file_name}"[:200], done.unit_id, why, undoes=done)


def same_before(row: BulkAdjustment) -> BulkAdjustment | None:
    """Return the latest earlier one with the very same lines that was not discarded, if there is one."""
    same = BulkAdjustment.objects.filter(digest=row.digest, pk__lt=row.pk).exclude(status=BulkStatus.DISCARDED)
    return same.order_by("-pk").first() if row.digest else None


def foresee_bulk(*, bulk: int) -> Foreseen:
    """Return what a checked one would do now. Raises InvalidField where it is not to be confirmed any more."""
    row = BulkAdjustment.objects.get(pk=bulk)
    if row.status != BulkStatus.CHECKED:
        raise refusals.InvalidField("bulk", "It is not waiting to be confirmed any more.")
    if row.undoes is not None:
        return _foresee_undo(row, row.undoes)
    lines, added, taken = sums_of(row.lines.filter(POSSIBLE, status=LineStatus.READY))
    return Foreseen(lines, added, taken, row.lines_count - lines)


def check_own(row: BulkAdjustment, *, actor: Actor) -> None:
    """Raise InvalidField where somebody else prepared it: whoever lets it be applied is who did it."""
    if row.actor_id != actor.id:
        raise refusals.InvalidField(
            "bulk",
            f"Only {row.actor_name}, who prepared it, can apply it or ask for approval. Discard it and prepare it"
            " yourself.",
        )


def confirm_bulk(*, bulk: int, actor: Actor, approved_by: str = "") -> bool:
    """Let a checked one be applied. Returns whether it was this call that did; a second changes nothing.

    Raises InvalidField where somebody else prepared it.
    """
    check_own(BulkAdjustment.objects.get(pk=bulk), actor=actor)
    checked = BulkAdjustment.objects.filter(pk=bulk, status=BulkStatus.CHECKED)
    return bool(checked.update(status=BulkStatus.RUNNING, approved_by=approved_by, confirmed_at=timezone.now()))


@transaction.atomic
def discard_bulk(*, bulk: int) -> bool:
    """Let a checked one never be applied, and ask nobody for it. Returns whether it was this call that did."""
    checked = BulkAdjustment.objects.filter(pk=bulk, status=BulkStatus.CHECKED)
    values = {"status": BulkStatus.DISCARDED, "finished_at": timezone.now()}
    return withdrawing_requests(bulk=bulk, act=lambda: bool(checked.update(**values)))


def apply_running_bulks() -> Done:
    """Apply every confirmed one, slice by slice. Returns how many lines were done."""
    done = 0
    for bulk in BulkAdjustment.objects.filter(status=BulkStatus.RUNNING).order_by("pk"):
        while (more := apply_slice(bulk=bulk.pk)) is not None:
            done += more
    return Done(done)


def apply_slice(*, bulk: int) -> int | None:
    """Apply the next lines of a confirmed one, movements and lines in one transaction.

    Returns how many lines; None where nothing is left to do, or another worker is at it.
    """
    with transaction.atomic():
        rows = BulkAdjustment.objects.select_for_update(skip_locked=True, no_key=True)
        row = rows.filter(pk=bulk, status=BulkStatus.RUNNING).first()
        if row is None:
            return None
        lines = list(row.lines.filter(status=LineStatus.READY).order_by("number")[:SLICE])
        if not lines:
            row.status, row.finished_at = BulkStatus.DONE, timezone.now()
            row.save(update_fields=["status", "finished_at"])
            record_finish(row)
            return None
        _apply(row, lines)
        return len(lines)


def _foresee_undo(row: BulkAdjustment, undoes: BulkAdjustment) -> Foreseen:
    ready = row.lines.filter(status=LineStatus.READY).values_list("number", "amount")
    amounts = bulk_undo.possible_amounts(undoes, {number: amount for number, amount in ready if amount is not None})
    added = sum((amount for amount in amounts if amount > 0), ZERO)
    return Foreseen(len(amounts), added, added - sum(amounts, ZERO), row.lines_count - len(amounts))


def _apply(row: BulkAdjustment, lines: Sequence[BulkLine]) -> None:
    made = bulk_undo.movements_of(row.undoes, [line.number for line in lines]) if row.undoes is not None else {}
    outcomes = post_batch(items=[_item(row, line, made.get(line.number)) for line in lines])
    for line, outcome in zip(lines, outcomes, strict=True):
        if isinstance(outcome, refusals.Refusal):
            line.status, line.error = LineStatus.REFUSED, outcome.detail[:300]
            row.refused_count += 1
        else:
            line.status, line.movement_id = LineStatus.DONE, outcome.id
            row.done_count += 1
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE credits_bulkline l SET status = n.status, error = n.error, movement_id = n.movement"
            " FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::uuid[]) AS n (id, status, error, movement)"
            " WHERE l.id = n.id",
            [
                [line.pk for line in lines],
                [str(line.status) for line in lines],
                [line.error for line in lines],
                [line.movement_id for line in lines],
            ],
        )
    row.save(update_fields=["done_count", "refused_count"])


def _item(row: BulkAdjustment, line: BulkLine, undoes: tuple[UUID, Decimal] | None) -> Item:
    noted = {"ticket": row.ticket, "approved_by": row.approved_by}
    memo = Memo(
        Actor("staff", row.actor_id, row.actor_name),
        description=line.note or row.note,
        reason=row.reason,
        reference_type=REFERENCE,
        reference_id=f"{row.pk}:{line.number}",
        metadata={name: said for name, said in noted.items() if said},
        request_id=row.request_id,
    )
    if row.undoes_id is None:
        return Item(Verb.ADJUSTMENT, memo, amount=line.amount, account=line.account_id)
    movement, amount = undoes or (None, ZERO)
    if line.amount is not None and line.amount != -amount:
        return Item(Verb.TAKE_LEFT, memo, amount=-line.amount, answers=movement)
    return Item(Verb.REVERSAL, memo, answers=movement)


def _digest(asked: Sequence[Asked], unit: str) -> str:
    lines = [[line.external_id, line.amount] for line in asked]
    return sha256(json.dumps([unit, lines]).encode()).hexdigest()


def _owners(ids: Iterable[UUID]) -> dict[UUID, Account]:
    return Account.objects.only("pk", "status", "balance", "held").in_bulk(list(ids))


def _checked(asked: Asked, unit: str, owner: Account | None, seen: set[str]) -> BulkLine:
    amount, error = (None, asked.error) if asked.error else _amount(asked.amount, unit)
    if not error and owner is None:
        error = "There is no such account of this unit."
    elif not error and asked.external_id in seen:
        error = "The account is in the file already."
    elif owner is not None and amount is not None:
        error = _impossible(owner, amount)
    seen.add(asked.external_id)
    return BulkLine(
        number=asked.number,
        external_id=asked.external_id[:255],
        account_id=owner.pk if owner is not None else None,
        amount=amount,
        note=asked.note[:500],
        status=LineStatus.BAD if error else LineStatus.READY,
        error=error,
    )


def _taking_back(line: BulkLine, back: Back, file_name: str) -> BulkLine:
    said = f"Takes back line {line.number} of {file_name}"
    return BulkLine(
        number=line.number,
        external_id=line.external_id,
        account_id=line.account_id,
        amount=back.amount,
        note=(f"{said}: {back.note}" if back.note else said)[:500],
        status=LineStatus.BAD if back.error else LineStatus.READY,
        error=back.error,
    )


def _impossible(owner: Account, amount: Decimal) -> str:
    """Return why an account cannot be adjusted by so much now, or nothing. What falls due counts when it is applied."""
    if owner.status == AccountStatus.CLOSED:
        return "The account is closed."
    payable = max(owner.balance - owner.held, ZERO)
    if -amount > payable:
        return f"It takes {say(-amount)}, and the account has {say(payable)} that can be taken."
    return ""


def _amount(text: str, unit: str) -> tuple[Decimal | None, str]:
    places = units.decimal_places(unit)
    try:
        amount = read_written(text, places)
    except ValueError as error:
        return None, str(error)
    if abs(amount) > MAX_AMOUNT:
        return None, "The amount is too large."
    if not amount:
        return None, "An amount of 0 changes nothing."
    return round(amount, places), ""


def _keep(
    rows: list[BulkLine], file_name: str, unit: str, why: Why, *, undoes: BulkAdjustment | None = None, digest: str = ""
) -> BulkAdjustment:
    good = [row.amount for row in rows if row.status == LineStatus.READY and row.amount is not None]
    added, taken = sum((one for one in good if one > 0), ZERO), -sum((one for one in good if one < 0), ZERO)
    if max(added, taken) > MAX_BALANCE:
        raise refusals.InvalidField("file", f"Its lines add or take more than {say(MAX_BALANCE)} in all: split it.")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '60s'")
        bulk = BulkAdjustment.objects.create(
            file_name=file_name[:200], unit_id=unit, reason=why.reason, note=why.note, ticket=why.ticket,
            undoes=undoes, digest=digest, lines_count=len(rows), bad_count=len(rows) - len(good),
            total_added=added, total_taken=taken,
            actor_id=why.actor.id, actor_name=why.actor.name, request_id=why.request_id, created_at=timezone.now(),
        )  # fmt: skip
        for row in rows:
            row.bulk = bulk
        BulkLine.objects.bulk_create(rows, batch_size=5000)
    return bulk


def _slices(rows: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
