"""Standing orders for credits: begun, ended, and issued where their accounts are idle."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q

from credits import refusals
from credits.models import Allotment
from credits.plan import Sheet, settle
from credits.plan.lots import check_amount, check_not_closed
from credits.plan.state import ZERO
from credits.plan.windows import boundary
from credits.services import history
from credits.services.locks import lock_account
from credits.services.once import Once, money
from credits.services.postings import post


@dataclass(frozen=True, slots=True)
class Order:
    """What each period brings. Periods are counted in ``months`` from the anchor, in its time zone.

    ``first_period`` is the number of the first that is issued, at its beginning or, if that has passed, at once.
    ``rollover_cap`` lets what is left roll over, up to it; without one a period's credits end with the period. At the
    first period ``covered`` stays beside it: so many earlier credits are meant for that very time.
    """

    source: str
    amount: Decimal
    anchor: datetime
    time_zone: str
    description: str = ""
    first_amount: Decimal | None = None
    covered: Decimal = ZERO
    first_period: int = 0
    months: int = 1
    priority: int = 40
    rollover_cap: Decimal | None = None
    ends_at: datetime | None = None


class UnknownAllotment(refusals.Refusal):
    status, code, title, stored = 404, "allotment_not_found", "There is no such allotment.", False


@money
def start_allotment(once: Once | None, /, *, account: UUID, order: Order, at: datetime | None = None) -> Allotment:
    """Begin a standing order. What is due of it by now is issued in the same transaction.

    Raises UnknownAccount, AccountClosed, InvalidField, Busy.
    """
    sheet = lock_account(account, once=None, at=at)
    check_not_closed(sheet)
    check_amount(sheet, order.amount)
    if order.first_amount:
        check_amount(sheet, order.first_amount, "first_amount")
    if order.covered:
        check_amount(sheet, order.covered, "covered")
    starts = boundary(order.anchor, order.first_period, ZoneInfo(order.time_zone), months=order.months)
    row = Allotment.objects.create(
        account_id=account,
        source=order.source,
        description=order.description,
        amount=order.amount,
        first_amount=order.first_amount,
        covered=order.covered,
        first_period=order.first_period,
        priority=order.priority,
        anchor=order.anchor,
        time_zone=order.time_zone,
        months=order.months,
        rollover_cap=order.rollover_cap,
        next_period=order.first_period,
        next_at=None if order.ends_at is not None and starts >= order.ends_at else starts,
        ends_at=order.ends_at,
        created_at=sheet.at,
    )
    _settle_anew(sheet)
    post([sheet], row, None)
    row.refresh_from_db()
    return row


@money
def end_allotment(
    once: Once | None, /, *, allotment: int, ends_at: datetime | None, at: datetime | None = None
) -> Allotment:
    """Let a standing order issue no period that begins at ``ends_at`` or later; None lets it go on for ever.

    What it has issued stays. Raises UnknownAllotment, Busy.
    """
    account = Allotment.objects.filter(pk=allotment).values_list("account_id", flat=True).first()
    if account is None:
        raise UnknownAllotment("There is no such allotment.")
    sheet = lock_account(account, once=None, at=at)
    post([sheet], None, None)
    row = Allotment.objects.get(pk=allotment)
    starts = boundary(row.anchor, row.next_period, ZoneInfo(row.time_zone), months=row.months)
    row.ends_at = ends_at
    row.next_at = None if ends_at is not None and starts >= ends_at else starts
    row.save(update_fields=["ends_at", "next_at"])
    sheet = lock_account(account, once=None, at=at)
    _settle_anew(sheet)
    post([sheet], row, None)
    row.refresh_from_db()
    return row


def end_all_allotments(account: UUID) -> None:
    """End every standing order of an account that is closed. Called under its lock."""
    Allotment.objects.filter(Q(account_id=account) & Q(next_at__isnull=False)).update(next_at=None)


def _settle_anew(sheet: Sheet) -> None:
    """Put every running order and open hold on the sheet, and settle what is due of them."""
    sheet.orders.clear()
    history.load_orders({sheet.id: sheet})
    if not sheet.complete:
        history.load_open_holds({sheet.id: sheet})
    sheet.complete = True
    sheet.reckon_due()
    settle(sheet)
