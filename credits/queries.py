"""Reads that are more than one line."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Upper

from credits import refusals
from credits.models import Account, Transaction
from credits.plan import Owner


def balance_at(account: UUID, at: datetime) -> Decimal:
    """Return the balance that was recorded at a past moment: what the last transaction until then left."""
    earlier = Transaction.objects.filter(account_id=account, recorded_at__lte=at)
    last = earlier.order_by("-recorded_at", "-sequence").values_list("balance_after", flat=True).first()
    return Decimal(0) if last is None else last


def balance_before(account: UUID, *, since: datetime | None, after: int) -> Decimal:
    """Return the balance with which a statement from ``since``, or behind transaction ``after``, begins."""
    number = after or (last_before(account, since) if since is not None else 0)
    earlier = Transaction.objects.filter(account_id=account, sequence__lte=number)
    last = earlier.order_by("-sequence").values_list("balance_after", flat=True).first()
    return Decimal(0) if last is None else last


def last_before(account: UUID, moment: datetime) -> int:
    """Return the number of the last transaction before a moment, or 0: times grow as numbers do."""
    earlier = Transaction.objects.filter(account_id=account, recorded_at__lt=moment)
    return earlier.order_by("-recorded_at", "-sequence").values_list("sequence", flat=True).first() or 0


def statement(
    account: UUID, *, since: datetime | None = None, until: datetime | None = None, after: int = 0
) -> QuerySet[Transaction]:
    """Return an account's transactions from ``since`` (inclusive) to ``until`` (exclusive), oldest first.

    Moments are turned into numbers first, so that the last slice of a million costs what the first does.
    """
    first = last_before(account, since) if since is not None else 0
    rows = Transaction.objects.filter(account_id=account, sequence__gt=max(after, first))
    if until is not None:
        rows = rows.filter(sequence__lte=last_before(account, until))
    return rows.order_by("sequence")


def owners_of(external_ids: Iterable[str]) -> dict[str, Owner]:
    """Return the account that is meant for each owner where no unit is named.

    The one in the service's own unit; where there is none but one in another unit, that one.
    """
    owners = {external_id: Owner(external_id, settings.DEFAULT_UNIT) for external_id in external_ids}
    accounts = {owner.account: external_id for external_id, owner in owners.items()}
    there = set(Account.objects.filter(pk__in=accounts).values_list("pk", flat=True))
    for account in accounts.keys() - there:
        with suppress(refusals.Refusal):
            owners[accounts[account]] = owner_of(accounts[account])
    return owners


def owner_of(external_id: str) -> Owner:
    """Return the one account that an owner has, whatever its unit.

    Raises UnknownAccount where there is none, InvalidField asking for the unit where there are several.
    """
    upper = Account.objects.annotate(upper=Upper("external_id")).filter(upper=external_id.upper())
    units = list(upper.filter(external_id=external_id).values_list("unit_id", flat=True)[:2])
    if not units:
        raise refusals.UnknownAccount("There is no such account.")
    if len(units) > 1:
        raise refusals.InvalidField("unit", "The owner has accounts in several units: say which.")
    return Owner(external_id, units[0])
