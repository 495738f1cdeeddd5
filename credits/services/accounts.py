"""Accounts: open, change, freeze, close."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from credits import plan, refusals, units
from credits.models import Account, AccountStatus
from credits.plan import LotTerms, Memo, Owner, Sheet, news
from credits.plan.lots import check_amount, check_step
from credits.plan.state import ZERO
from credits.services import clock, events, plugin_status
from credits.services.allotments import end_all_allotments
from credits.services.locks import lock_account
from credits.services.once import Once, money
from credits.services.postings import post


@dataclass(frozen=True, slots=True)
class Particulars:
    """What an account is opened or changed with. None leaves a value as it is, or at its default.

    ``cleared`` names those that are to be None.
    """

    name: str | None = None
    email: str | None = None
    overdraft_limit: Decimal | None = None
    low_balance_threshold: Decimal | None = None
    time_zone: str | None = None
    week_starts_on: int | None = None
    metadata: dict[str, Any] | None = None
    cleared: frozenset[str] = frozenset()

    def given(self) -> dict[str, Any]:
        """Return the values that were given, by field, and None for those that are cleared."""
        values = {name: getattr(self, name) for name in self.__slots__ if name != "cleared"}
        return {name: value for name, value in values.items() if value is not None or name in self.cleared}


NOTHING = Particulars()


@money
def open_account(
    once: Once | None,
    /,
    *,
    owner: Owner,
    memo: Memo,
    particulars: Particulars = NOTHING,
    opening_balance: Decimal = ZERO,
    terms: LotTerms = plan.ON_TERMS,
    at: datetime | None = None,
) -> Account:
    """Open an account, with its first credits if there are any.

    Raises AccountExists where the owner has one in this unit, InvalidField for an unknown unit or a bad amount.
    """
    if once is not None:
        once.check(once.find())
    _check_limits(owner.unit, particulars)
    if not insert_account(owner, particulars, at):
        raise refusals.AccountExists(f"{owner.external_id} has an account in {owner.unit} already.")
    if opening_balance:
        sheet = lock_account(owner.account, once=None, at=at)
        check_amount(sheet, opening_balance, "initial_balance")
        post([sheet], plan.add(sheet, opening_balance, memo, terms), None)
    return _answered(once, Account.objects.get(pk=owner.account))


@money
def change_account(once: Once | None, /, *, account: UUID, particulars: Particulars) -> Account:
    """Change what an account is known by and its limits. Raises UnknownAccount, AccountClosed, InvalidField, Busy."""
    sheet = _settled(once, account)
    _check_limits(sheet.owner.unit, particulars)
    values = particulars.given()
    limit = values.get("overdraft_limit")
    check_overdraft(sheet, limit)
    if values:
        Account.objects.filter(pk=account).update(**values, version=F("version") + 1)
    if limit is not None:
        _tell_use(sheet, sheet.status, limit, "overdraft_limit")
    return _answered(once, Account.objects.get(pk=account))


def check_overdraft(sheet: Sheet, limit: Decimal | None) -> None:
    """Refuse a limit that an account is overdrawn beyond."""
    if limit is not None and sheet.balance - sheet.held + limit < 0:
        raise refusals.InvalidField("overdraft_limit", "The account is overdrawn further than that.")


@money
def freeze_account(once: Once | None, /, *, account: UUID, reason: str) -> Account:
    """Stop an account from spending, holding and transferring. It may still gain, capture and release.

    Freezing a frozen account changes its reason. Raises UnknownAccount, AccountClosed, Busy.
    """
    return _answered(once, _set_status(_settled(once, account), AccountStatus.FROZEN, reason))


@money
def unfreeze_account(once: Once | None, /, *, account: UUID) -> Account:
    """Let a frozen account spend again. Raises UnknownAccount, AccountClosed, Busy."""
    return _answered(once, _set_status(_settled(once, account), AccountStatus.ACTIVE, ""))


@money
def close_account(
    once: Once | None, /, *, account: UUID, memo: Memo, forfeit: bool = False, at: datetime | None = None
) -> Account:
    """Close an account for ever. What is left on it is refused, or with ``forfeit`` given up as an adjustment.

    Raises AccountNotEmpty where credits, holds, debt or an overdraft are left; UnknownAccount, AccountClosed, Busy.
    """
    sheet = lock_account(account, once=once, at=at)
    _refuse_closed(sheet)
    plan.close(sheet, memo, forfeit=forfeit)
    post([sheet], sheet, None)
    end_all_allotments(account)
    return _answered(once, _set_status(sheet, AccountStatus.CLOSED, memo.reason))


def insert_account(owner: Owner, particulars: Particulars, at: datetime | None) -> bool:
    """Insert the account's row unless it is there. Tells whether it was inserted.

    Two callers may open the same account at once: the second waits for the first, and then finds the row.
    """
    values = {
        "id": owner.account,
        "external_id": owner.external_id,
        "unit_id": owner.unit,
        "created_at": at or clock.moved() or Now(),
        **particulars.given(),
    }
    try:
        with transaction.atomic():
            Account.objects.create(**values)
    except IntegrityError:
        if not Account.objects.filter(pk=owner.account).exists():
            raise
        return False
    return True


def _set_status(sheet: Sheet, status: AccountStatus, reason: str) -> Account:
    Account.objects.filter(pk=sheet.id).update(status=status, status_reason=reason, version=F("version") + 1)
    _tell_use(sheet, status, sheet.overdraft_limit, "status")
    return Account.objects.get(pk=sheet.id)


def _tell_use(sheet: Sheet, status: str, overdraft_limit: Decimal, reason: str) -> None:
    """Tell the world where what was changed of an account switched its use on or off."""
    enabled = news.usable(status, sheet.balance, overdraft_limit)
    if enabled != news.usable(sheet.status, sheet.balance, sheet.overdraft_limit):
        events.write_event(
            news.status_changed(sheet, enabled=enabled, reason=reason, at=sheet.at, balance=sheet.balance)
        )
    if kept := plugin_status.kept_of([sheet]):
        transaction.on_commit(partial(plugin_status.forget, kept))


def _check_limits(unit: str, particulars: Particulars) -> None:
    """Refuse an unknown unit, limits that are finer than it, and a time zone that is none."""
    places = units.decimal_places(unit)
    if particulars.time_zone is not None:
        try:
            ZoneInfo(particulars.time_zone)
        except (ValueError, OSError, KeyError):
            raise refusals.InvalidField("time_zone", "There is no such time zone.") from None
    for field in ("overdraft_limit", "low_balance_threshold"):
        limit = getattr(particulars, field)
        if limit is not None:
            check_step(unit, places, limit, field)


def _settled(once: Once | None, account: UUID) -> Sheet:
    """Lock an account that is not closed, and post what fell due: the row that is changed is then the row that is."""
    sheet = lock_account(account, once=once, at=None)
    _refuse_closed(sheet)
    return post([sheet], sheet, None)


def _refuse_closed(sheet: Sheet) -> None:
    if sheet.status == AccountStatus.CLOSED:
        raise refusals.AccountClosed("The account is closed.")


def _answered(once: Once | None, account: Account) -> Account:
    if once is not None:
        once.record(once.answer_to(account))
    return account
