"""What a request for approval is called, and which wait: for the sidebar, the front page and an account's page."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from credits.admin import desk, show
from credits.amounts import places_of, say_money
from credits.models import Account, ApprovalRequest, ApprovalStatus, CappedAction

MOST_COUNTED = 1000
ASKED = "florin.approvals_waiting"


def figure_of(row: ApprovalRequest, amount: Decimal | None = None, *, signed: bool = False) -> str:
    """Return an amount with its unit. A currency in which money is given back may be no unit of accounts."""
    value = row.amount if amount is None else amount
    if row.action == CappedAction.REFUND_PAYMENT:
        return say_money(int(value.scaleb(places_of(row.unit))), row.unit)
    return f"{show.amount(value, row.unit, signed=signed)} {row.unit}"


def asked_of(row: ApprovalRequest) -> str:
    """Return the amount with the sign that it was asked with: what counts against a cap has none."""
    if row.bulk is not None:
        return str(row.bulk)
    taken = str(row.asked.get("amount", "")).strip().startswith("-")
    return figure_of(row, -row.amount if taken else row.amount, signed=row.action == CappedAction.ADJUST)


def waiting(request: HttpRequest) -> str:
    """Return how many wait, for the sidebar; nothing where none does."""
    if not request.user.has_perm("credits.view_approvalrequest"):
        return ""
    count = len(_accounts_of_waiting(request))
    return f"{count:,}{'+' if count == MOST_COUNTED else ''}" if count else ""


def waits_for(request: HttpRequest, account: Account) -> list[tuple[SafeString, str]]:
    """Return what waits for an account, to those who may see it. Where nothing does, that costs no query of its own."""
    if not request.user.has_perm("credits.view_approvalrequest"):
        return []
    return waiting_for(account) if account.pk in _accounts_of_waiting(request) else []


def _accounts_of_waiting(request: HttpRequest) -> list[UUID | None]:
    """Return the accounts of the requests that wait: asked once a page, for the sidebar and the account's page."""
    found: list[UUID | None] | None = request.META.get(ASKED)
    if found is None:
        found = request.META[ASKED] = list(_waiting().values_list("account_id", flat=True)[:MOST_COUNTED])
    return found


def _waiting() -> QuerySet[ApprovalRequest]:
    return ApprovalRequest.objects.filter(status=ApprovalStatus.WAITING, lapses_at__gt=timezone.now()).order_by()


def waiting_for(account: Account, *, but: int = 0) -> list[tuple[SafeString, str]]:
    """Return what waits for an account, with who asked: perhaps the same thing, asked for twice."""
    others = _waiting().filter(account=account.pk).exclude(pk=but).select_related("bulk").order_by("pk")[:5]
    return [
        (show.link(ApprovalRequest, other.pk, f"{other.get_action_display()}: {asked_of(other)}"), other.asked_by_name)
        for other in others
    ]


def tiles(request: HttpRequest) -> Iterator[desk.Tile]:
    """Tell how many requests wait for a second person."""
    count = _waiting().count()
    link = f"{reverse('admin:credits_approvalrequest_changelist')}?status=waiting"
    yield desk.Tile("Approvals", f"{count:,}", link, "wait for a second person", bool(count))


desk.register(desk.Board("Work waiting", "credits.view_approvalrequest", tiles, place=4))
