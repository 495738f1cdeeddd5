"""What the page of an account shows: where it stands, what it has, what moved and who did it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from django.utils.safestring import SafeString

from credits.admin import account_use, asked, show, timeline
from credits.admin import lots as naming
from credits.admin.desk import Tile
from credits.admin.legs import other_accounts
from credits.admin.refundable import left_to_refund
from credits.models import Account, AccountStatus, Allotment, Grant, Hold, HoldStatus, Transaction, TransactionKind
from credits.plan import Sheet
from credits.plan.allotments import BEYOND, beyond_cap
from credits.plan.state import ZERO
from credits.services import clock
from credits.services.locks import read_account

MOST_LOTS = 8
MOST_HOLDS = 5


def context(account: Account, request: HttpRequest, *, may_refund: bool) -> dict[str, Any]:
    """Return what the template prints. The number of queries does not depend on how much the account has.

    The figures are those a caller of the API would be told now: what has lapsed is not counted, though its expiry may
    not be posted yet.
    """
    sheet = read_account(account.pk)
    page = timeline.page(account, request.GET)
    refundable = left_to_refund(sheet, page.rows) if may_refund else {}
    lots, drawn = timeline.lots_of(page.rows, account, most=MOST_LOTS + 1)
    others = other_accounts(page.rows)
    holds = _holds(account)
    orders = account_use.orders_of(account)
    return {
        "status_badge": show.badge(account.get_status_display(), show.COLOUR_OF_ACCOUNT[AccountStatus(account.status)]),
        "figures": _figures(account, sheet, orders),
        "facts": _facts(account),
        "waiting": asked.waits_for(request, account),
        "lapsed": show.amount(account.balance - sheet.balance, account.unit_id) if sheet.movements else "",
        "lots": [_lot(lot, account.unit_id) for lot in lots[:MOST_LOTS]],
        "more_lots": len(lots) > MOST_LOTS,
        "holds": [_hold(hold, account.unit_id) for hold in holds[:MOST_HOLDS]],
        "more_holds": len(holds) > MOST_HOLDS,
        "movements": [
            _movement(row, timeline.told(row, drawn, account.unit_id, others.get(row.pk)), account.unit_id)
            | {"refundable": row.pk in refundable}
            for row in page.rows
        ],
        "page": page,
        **account_use.context(account, sheet, orders),
    }


def _figures(account: Account, sheet: Sheet, orders: list[Allotment]) -> list[Tile]:
    unit = account.unit_id
    expiries = [
        *((lot.expires_at, lot.free, "") for lot in sheet.lots if lot.expires_at and lot.free),
        *_beyond_caps(sheet, orders, unit),
    ]
    next_expiry, going, why = min(expiries, default=(None, None, ""))
    figures = [
        Tile("Balance", show.amount(sheet.balance, unit), note=unit, alarm=sheet.balance < 0),
        Tile("Available", show.amount(sheet.available, unit), note="to spend or hold now", alarm=sheet.available <= 0),
        Tile("Held", show.amount(sheet.held, unit), "#holds", "set aside by open holds"),
    ]
    if sheet.overdraft_limit:
        used = max(-sheet.balance, sheet.balance * 0)
        note = f"{show.amount(used, unit)} of it used" if used else "not used"
        figures.append(Tile("Overdraft limit", show.amount(sheet.overdraft_limit, unit), note=note, alarm=bool(used)))
    if sheet.debt:
        figures.append(Tile("Debt", show.amount(sheet.debt, unit), note="new credits repay it first", alarm=True))
    if going is not None and next_expiry is not None:
        note = f"{show.amount(going, unit)}{why}, {_in_days(next_expiry)}"
        figures.append(Tile("Next expiry", show.day_tag(next_expiry), "#lots", note))
    return figures


def _beyond_caps(sheet: Sheet, orders: list[Allotment], unit: str) -> Iterator[tuple[datetime, Decimal, str]]:
    """Tell when credits that roll over are cut down next, how many lapse as things stand, and why."""
    for order in orders:
        if order.next_at is not None and order.rollover_cap is not None:
            covered = order.covered if order.next_period == order.first_period else ZERO
            if going := beyond_cap(sheet, order.rollover_cap, covered):
                yield order.next_at, going, f" beyond the {show.amount(order.rollover_cap, unit)} that roll over"


def _in_days(moment: datetime) -> str:
    days = (moment - clock.now()).days
    return "within a day" if days < 1 else f"in {days} days" if days > 1 else "in 1 day"


def _facts(account: Account) -> list[tuple[str, SafeString | str]]:
    threshold = account.low_balance_threshold
    facts: list[tuple[str, SafeString | str]] = [
        ("Name", account.name),
        ("E-mail", account.email),
        ("Unit", account.unit_id),
        (f"Why {account.status}", account.status_reason),
        ("Opened", show.moment_tag(account.created_at)),
        ("Last movement", show.moment_tag(account.last_recorded_at)),
        ("Warn at balance", show.amount(threshold, account.unit_id) if threshold is not None else ""),
        ("Time zone", account.time_zone),
        ("Movements", f"{account.sequence:,}"),
        ("Account id", str(account.pk)),
    ]
    return [(label, text) for label, text in facts if text]


def _lot(lot: Grant, unit: str) -> dict[str, Any]:
    lapsed = lot.is_open and lot.expires_at is not None and lot.expires_at <= clock.now()
    state = "Empty" if not lot.is_open else "Expired" if lapsed else "Open"
    return {
        "link": show.link(Grant, lot.pk, naming.name(lot)),
        "source": naming.source(lot),
        "amount": show.amount(lot.amount, unit),
        "remaining": show.amount(lot.remaining, unit),
        "held": show.amount(lot.held, unit) if lot.held else "",
        "expires": naming.until(lot),
        "open": state == "Open",
        "state": show.badge(state, "danger" if state == "Expired" else "default"),
    }


def _holds(account: Account) -> list[Hold]:
    """Return the open holds, then the latest others."""
    of_account = Hold.objects.filter(account=account.pk)
    still_open = of_account.filter(status=HoldStatus.OPEN).order_by("-id")[: MOST_HOLDS + 1]
    ended = of_account.exclude(status=HoldStatus.OPEN).order_by("-id")[: MOST_HOLDS + 1]
    rows = list(still_open.union(ended))
    return sorted(rows, key=lambda row: (row.status == HoldStatus.OPEN, row.pk), reverse=True)[: MOST_HOLDS + 1]


def _hold(hold: Hold, unit: str) -> dict[str, Any]:
    return {
        "link": show.link_at(Hold, hold.pk, hold.created_at),
        "state": show.badge(hold.get_status_display(), show.COLOUR_OF_HOLD[HoldStatus(hold.status)]),
        "amount": show.amount(hold.amount, unit),
        "captured": show.amount(hold.captured, unit) if hold.captured else "",
        "expires": show.times_out(hold),
        "what": hold.description or hold.feature,
    }


def _movement(row: Transaction, told: SafeString, unit: str) -> dict[str, Any]:
    return {
        "pk": row.pk,
        "link": show.link_at(Transaction, row.pk, row.recorded_at),
        "kind": show.badge(row.get_kind_display(), show.COLOUR_OF_KIND[row.kind]),
        "amount": show.figure(row.amount, unit, signed=True),
        "debt": show.amount(row.debt, unit, signed=True) if row.debt else "",
        "balance": show.amount(row.balance_after, unit),
        "told": told,
        # What did not roll over was never promised for longer.
        "lapsed": f"{-row.amount.normalize():f}"
        if row.kind == TransactionKind.EXPIRY and not row.description.startswith(BEYOND)
        else "",
    }
