"""Transfers: whose account the other leg of a movement is on."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Q
from django.utils.html import format_html
from django.utils.safestring import SafeString

from credits.admin import show
from credits.models import Account, Transaction, TransactionKind


def other_accounts(rows: Sequence[Transaction]) -> dict[UUID, Account]:
    """Return the account at the other end of each of these movements that is a transfer, by one query or none.

    The leg that gains answers the leg that gives.
    """
    legs = {row.pk: row.parent_id for row in rows if row.kind == TransactionKind.TRANSFER}
    if not legs:
        return {}
    gave = [parent for parent in legs.values() if parent]
    others = Transaction.objects.filter(kind=TransactionKind.TRANSFER).select_related("account")
    found = list(others.filter(Q(pk__in=gave) | Q(parent__in=[pk for pk, parent in legs.items() if not parent])))
    account_of = {leg.pk: leg.account for leg in found} | {leg.parent_id: leg.account for leg in found if leg.parent_id}
    known = ((pk, account_of.get(parent or pk)) for pk, parent in legs.items())
    return {pk: account for pk, account in known if account is not None}


def between(row: Transaction, other: Account | None) -> SafeString | str:
    """Return where a transfer went or came from; nothing of any other movement."""
    if other is None:
        return ""
    return format_html("{} {}", "to" if row.amount < 0 else "from", show.link(Account, other.pk, other.external_id))
