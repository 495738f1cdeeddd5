"""Accounts: open, list, look at, change, freeze, close."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpResponse
from django_filters import rest_framework as filters
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from credits import refusals
from credits.api import examples
from credits.api.calls import check_unit, for_owner, memo, on_account, perform, require
from credits.api.pages import AccountPages
from credits.api.requests import (
    ChangeAccountRequest,
    CloseRequest,
    FreezeRequest,
    NothingRequest,
    OpenAccountRequest,
)
from credits.api.schema import UNIT, describe
from credits.api.shapes import AccountOut, print_account
from credits.api.views.account_moves import MovesMixin
from credits.api.views.account_reads import ReadsMixin
from credits.api.views.account_use import UseMixin
from credits.models import Account, AccountStatus, Scope
from credits.models.accounts import account_id
from credits.plan import Owner
from credits.plan.state import ZERO
from credits.services import accounts
from credits.services.locks import read_account

OPEN = OpenAccountRequest()
CHANGE = ChangeAccountRequest()
FREEZE = FreezeRequest()
CLOSE = CloseRequest()
NOTHING = NothingRequest()
PARTICULARS = (
    *("name", "email", "overdraft_limit", "low_balance_threshold"),
    *("time_zone", "week_starts_on", "metadata"),
)
DIALECT_A_UNIT = "USD"


class AccountFilter(filters.FilterSet):
    unit = filters.CharFilter(field_name="unit_id")
    status = filters.ChoiceFilter(choices=AccountStatus.choices)
    external_id = filters.CharFilter(strip=False)
    email = filters.CharFilter(lookup_expr="iexact")

    class Meta:
        model = Account
        fields: list[str] = []


class AccountViewSet(ReadsMixin, MovesMixin, UseMixin):
    """Accounts, and what is done with one."""

    queryset = Account.objects.all()
    lookup_field = "external_id"
    serializer_class = AccountOut
    pagination_class = AccountPages
    filterset_class = AccountFilter
    scopes = {
        **MovesMixin.scopes,
        **UseMixin.scopes,
        "create": Scope.ACCOUNTS_WRITE,
        "partial_update": Scope.ACCOUNTS_WRITE,
        "freeze": Scope.ACCOUNTS_WRITE,
        "unfreeze": Scope.ACCOUNTS_WRITE,
        "close": Scope.ACCOUNTS_WRITE,
    }

    @describe("List accounts", tag="Accounts", answer=AccountOut(many=True), example=examples.ACCOUNT)
    def list(self, request: Request) -> Response:
        """Newest first. Balances are as last posted."""
        rows: QuerySet[Account] = self.filter_queryset(self.get_queryset())
        return self.answer_page(rows, print_account)

    @describe(
        "Open an account",
        tag="Accounts",
        request=OpenAccountRequest,
        asked=examples.OPEN,
        answer=AccountOut,
        status=201,
        example=examples.ACCOUNT,
        writes=True,
    )
    def create(self, request: Request) -> HttpResponse:
        """One for each owner and unit; a second is a 409. Callers of dialect A send `user_id` and mean USD."""
        asked = OPEN.read(request.data)
        external_id = asked.get("external_id") or asked["user_id"]
        unit = asked.get("unit") or (DIALECT_A_UNIT if "user_id" in asked else settings.DEFAULT_UNIT)
        check_unit(unit)
        particulars = accounts.Particulars(**{name: asked[name] for name in PARTICULARS if name in asked})
        if asked.get("initial_balance") or asked.get("overdraft_limit"):
            require(request, Scope.CREDITS_WRITE)
        return perform(
            request,
            lambda once: accounts.open_account(
                once=once,
                owner=Owner(external_id, unit),
                memo=memo(request, {"description": "Opening balance"}),
                particulars=particulars,
                opening_balance=asked.get("initial_balance", ZERO),
            ),
            print_account,
        )

    @describe("Look at an account", tag="Accounts", answer=AccountOut, example=examples.ACCOUNT, parameters=[UNIT])
    def retrieve(self, request: Request, external_id: str) -> Response:
        """As it is now: what has lapsed or timed out is counted, posted or not."""
        return for_owner(request, external_id, lambda owner: Response(print_account(_settled(owner))))

    @describe(
        "Change an account",
        tag="Accounts",
        request=ChangeAccountRequest,
        asked={"name": "Alice", "overdraft_limit": 10},
        answer=AccountOut,
        example=examples.ACCOUNT,
        parameters=[UNIT],
    )
    def partial_update(self, request: Request, external_id: str) -> HttpResponse:
        """What is not sent stays. Its id and unit never change."""
        asked = CHANGE.read(request.data)
        cleared = frozenset(name for name, value in asked.items() if value is None)
        particulars = accounts.Particulars(**asked, cleared=cleared)
        if asked.get("overdraft_limit"):
            require(request, Scope.CREDITS_WRITE)
        return on_account(
            request,
            external_id,
            lambda once, account: accounts.change_account(once=once, account=account, particulars=particulars),
            print_account,
            status=200,
        )

    @describe(
        "Freeze an account",
        tag="Accounts",
        request=FreezeRequest,
        asked={"reason": "Suspected fraud"},
        answer=AccountOut,
        example=examples.ACCOUNT | {"status": "frozen", "status_reason": "Suspected fraud"},
        parameters=[UNIT],
        writes=True,
    )
    @action(detail=True, methods=["post"])
    def freeze(self, request: Request, external_id: str) -> HttpResponse:
        """It can gain, and captures of what it holds go through; it cannot spend, hold or give."""
        reason = FREEZE.read(request.data).get("reason", "")
        return on_account(
            request,
            external_id,
            lambda once, account: accounts.freeze_account(once=once, account=account, reason=reason),
            print_account,
            status=200,
        )

    @describe(
        "Unfreeze an account",
        tag="Accounts",
        request=NothingRequest,
        asked={},
        answer=AccountOut,
        example=examples.ACCOUNT,
        parameters=[UNIT],
        writes=True,
    )
    @action(detail=True, methods=["post"])
    def unfreeze(self, request: Request, external_id: str) -> HttpResponse:
        """It can spend again."""
        NOTHING.read(request.data)
        return on_account(
            request,
            external_id,
            lambda once, account: accounts.unfreeze_account(once=once, account=account),
            print_account,
            status=200,
        )

    @describe(
        "Close an account",
        tag="Accounts",
        request=CloseRequest,
        asked={"forfeit": True, "description": "Left us"},
        answer=AccountOut,
        example=examples.ACCOUNT | {"status": "closed", "balance": 0, "held": 0, "available": 0},
        parameters=[UNIT],
        writes=True,
    )
    @action(detail=True, methods=["post"])
    def close(self, request: Request, external_id: str) -> HttpResponse:
        """For ever. An account with credits left is a 409, unless they are given up with `forfeit`."""
        asked = CLOSE.read(request.data)
        if asked["forfeit"]:
            require(request, Scope.CREDITS_ADJUST)
        why = memo(request, {"description": asked.get("description") or "Given up at closing", "reason": "closing"})
        return on_account(
            request,
            external_id,
            lambda once, account: accounts.close_account(
                once=once, account=account, memo=why, forfeit=asked["forfeit"]
            ),
            print_account,
            status=200,
        )


def _settled(owner: Owner) -> Account:
    """Return an account with its balance as it is now. Raises UnknownAccount."""
    account = Account.objects.filter(pk=account_id(owner.external_id, owner.unit)).first()
    if account is None:
        raise refusals.UnknownAccount("There is no such account.")
    now: Any = read_account(account.pk)
    account.balance, account.held, account.debt = now.balance, now.held, now.debt
    return account
