"""Many movements in one transaction: each judged in its turn, as if it had come alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from django.db import connection

from credits import disputed, plan, refusals
from credits.models import Hold, Transaction
from credits.plan import LotTerms, Memo, Movement, Reservation, Sheet, Usage
from credits.plan.state import ZERO
from credits.services import history
from credits.services.locks import known, lock_accounts
from credits.services.once import Once, money
from credits.services.postings import post
from credits.services.prices import pinned_tariff, price_book
from credits.services.usage import quarantine

MOST_ITEMS = 10_000


class Verb(StrEnum):
    """What an item of a batch asks for."""

    DEBIT = "debit"
    USAGE = "usage"
    TOPUP = "topup"
    ADJUSTMENT = "adjustment"
    TRANSFER = "transfer"
    HOLD = "hold"
    CAPTURE = "capture"
    RELEASE = "release"
    REFUND = "refund"
    REVERSAL = "reversal"
    TAKE_LEFT = "take left"


@dataclass(frozen=True, slots=True)
class Item:
    """One request of a batch. ``account`` is who gives or gains, ``target`` who a transfer goes to, ``answers`` the
    hold or transaction that is captured, released, refunded or taken back.
    """

    verb: Verb
    memo: Memo
    amount: Decimal | None = None
    usage: Usage | None = None
    account: UUID | None = None
    target: UUID | None = None
    answers: UUID | None = None
    terms: LotTerms = plan.ON_TERMS
    lasting: timedelta = timedelta(minutes=15)
    abandonment_charge: Decimal = ZERO
    final: bool = False
    allow_debt: bool = False


# What may let credits come free.
FREEING = {Verb.RELEASE, Verb.CAPTURE, Verb.REFUND}
Outcome = Movement | Reservation | refusals.Refusal


class BatchRefused(refusals.Refusal):
    """An atomic batch in which one item was refused. Nothing of it was done."""

    status, code, title = 422, "batch_refused", "An item of the batch was refused, so nothing was done."

    def __init__(self, index: int, refusal: refusals.Refusal) -> None:
        super().__init__(f"Item {index} was refused: {refusal.detail}", index=index, problem=refusal.told())


@dataclass(slots=True)
class Room:
    """What the items of a batch work on: the locked accounts and what the items refer to."""

    sheets: dict[UUID, Sheet]
    holds: dict[UUID, Reservation] = field(default_factory=dict)
    posted: dict[UUID, plan.Posted] = field(default_factory=dict)

    def sheet(self, account: UUID | None) -> Sheet:
        """Return an account's sheet. Raises UnknownAccount."""
        if account is None:
            raise refusals.InvalidField("account", "This field is required.")
        return self._settled(known(self.sheets, account))

    def _settled(self, sheet: Sheet) -> Sheet:
        """Settle what an earlier item has made due: alone, this item would have come to a settled account."""
        plan.settle(sheet)
        return sheet

    def hold(self, item: Item) -> tuple[Sheet, Reservation]:
        """Return the hold an item answers, with its account. Raises UnknownHold."""
        held = self.holds.get(item.answers) if item.answers else None
        if held is None:
            raise refusals.UnknownHold("There is no such hold.")
        return self._settled(self.sheets[held.owner.account]), held

    def spent(self, item: Item) -> tuple[Sheet, plan.Posted]:
        """Return the movement an item answers, with its account. Raises UnknownTransaction."""
        posted = self.posted.get(item.answers) if item.answers else None
        if posted is None:
            raise refusals.UnknownTransaction("There is no such transaction.")
        return self._settled(self.sheets[posted.movement.owner.account]), posted


@money
def post_batch(
    once: Once | None,
    /,
    *,
    items: Sequence[Item | refusals.Refusal],
    atomic: bool = False,
    at: datetime | None = None,
) -> list[Outcome]:
    """Do each item in its turn; a refused one leaves the rest as they are. All in one transaction.

    An item that is a refusal already (a malformed one) keeps its place and is answered as such. Every item sees what
    those before it did, so the answers are those of the same requests sent one by one.
    Raises BatchRefused, naming the first refused item, where the batch is ``atomic``; Busy.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '60s'")
    room = _lock(items, once, at)
    outcomes: list[Outcome] = []
    for index, item in enumerate(items):
        try:
            outcomes.append(item if isinstance(item, refusals.Refusal) else VERBS[item.verb](room, item))
        except refusals.Refusal as refusal:
            outcomes.append(refusal)
        if atomic and isinstance(outcomes[-1], refusals.Refusal):
            raise BatchRefused(index, outcomes[-1])
    post(room.sheets.values(), outcomes, once)
    if not FREEING.isdisjoint(item.verb for item in items if isinstance(item, Item)):
        disputed.freed(room.sheets)
    quarantine(outcomes)
    return outcomes


def _lock(items: Sequence[Item | refusals.Refusal], once: Once | None, at: datetime | None) -> Room:
    """Lock every account that an item names or whose hold or movement it answers, and read what plans need."""
    asked = [item for item in items if isinstance(item, Item)]
    answered = {item.answers for item in asked if item.answers}
    owners: dict[UUID, UUID] = {}
    if answered:
        owners |= Hold.objects.filter(pk__in=answered).values_list("pk", "account_id")
        owners |= Transaction.objects.filter(pk__in=answered).values_list("pk", "account_id")
    named = {account for item in asked for account in (item.account, item.target) if account}
    sheets = lock_accounts(named | set(owners.values()), once=once, at=at)
    room = Room(sheets)
    if answered:
        room.holds = history.load_holds(sheets, answered)
        room.posted = history.load_posted(sheets, answered)
    history.load_references(sheets, [(account, item.memo) for item in asked for account in _parties(item, owners)])
    return room


def _parties(item: Item, owners: dict[UUID, UUID]) -> list[UUID]:
    answers = owners.get(item.answers) if item.answers else None
    return [account for account in (item.account, item.target, answers) if account]


def _amount(item: Item) -> Decimal:
    if item.amount is None:
        raise refusals.InvalidField("amount", "This field is required.")
    return item.amount


def _transfer(room: Room, item: Item) -> Movement:
    return plan.transfer(room.sheet(item.account), room.sheet(item.target), _amount(item), item.memo)[0]


def _release(room: Room, item: Item) -> Reservation:
    sheet, held = room.hold(item)
    plan.release(sheet, held)
    plan.expire_lots(sheet)
    return held


def _capture(room: Room, item: Item) -> Movement:
    sheet, held = room.hold(item)
    tariff = pinned_tariff(held) if item.usage is not None else None
    memo = replace(item.memo, feature=held.memo.feature or item.memo.feature)
    movement = plan.capture(sheet, held, item.amount, memo, final=item.final, usage=item.usage, tariff=tariff)
    plan.expire_lots(sheet)
    return movement


def _use(room: Room, item: Item) -> Movement:
    if item.usage is None:
        raise refusals.InvalidField("feature", "Say which feature was used, or which model.")
    sheet = room.sheet(item.account)
    return plan.use(sheet, price_book(sheet.newest_price), item.usage, replace(item.memo, feature=item.usage.named))


def _refund(room: Room, item: Item) -> Movement:
    sheet, spent = room.spent(item)
    movement = plan.refund(sheet, spent, item.amount, item.memo)
    plan.expire_lots(sheet)
    return movement


def _reverse(room: Room, item: Item) -> Movement:
    """Undo a whole movement; a transfer, whose other side is not locked, is refused."""
    sheet, posted = room.spent(item)
    movement, _ = plan.reverse(sheet, posted, item.memo, allow_debt=item.allow_debt)
    plan.expire_lots(sheet)
    return movement


def _take_left(room: Room, item: Item) -> Movement:
    sheet, posted = room.spent(item)
    return plan.take_left(sheet, posted, _amount(item), item.memo)


VERBS: dict[Verb, Callable[[Room, Item], Movement | Reservation]] = {
    Verb.DEBIT: lambda room, item: plan.spend(room.sheet(item.account), _amount(item), item.memo),
    Verb.USAGE: _use,
    Verb.TOPUP: lambda room, item: plan.add(room.sheet(item.account), _amount(item), item.memo, item.terms),
    Verb.ADJUSTMENT: lambda room, item: plan.adjust(
        room.sheet(item.account), _amount(item), item.memo, allow_debt=item.allow_debt
    ),
    Verb.TRANSFER: _transfer,
    Verb.HOLD: lambda room, item: plan.hold(
        room.sheet(item.account),
        _amount(item),
        item.memo,
        lasting=item.lasting,
        abandonment_charge=item.abandonment_charge,
    ),
    Verb.CAPTURE: _capture,
    Verb.RELEASE: _release,
    Verb.REFUND: _refund,
    Verb.REVERSAL: _reverse,
    Verb.TAKE_LEFT: _take_left,
}
