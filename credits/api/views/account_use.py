"""What one account may use, what it would cost, and what it has used."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from credits import refusals, statistics
from credits.api import use_examples
from credits.api.calls import for_owner, memo, on_account
from credits.api.pages import Pages
from credits.api.schema import UNIT, describe
from credits.api.use_requests import CheckRequest, OverrideRequest, QuotaKeyRequest, QuotaRequest
from credits.api.use_requests import usage as use_of
from credits.api.use_shapes import (
    PreviewOut,
    QuotaOut,
    QuotasOut,
    QuotaWindowOut,
    StatisticsOut,
    UsageOut,
    print_figures,
    print_preview,
    print_quota,
    print_statistics,
    print_window,
)
from credits.api.views.base import ApiViewSet
from credits.models import Account, QuotaWindow, Scope
from credits.plan import Owner
from credits.plan.quotas import Standing, limited, standing
from credits.plan.state import QuotaKey
from credits.plan.windows import Period
from credits.services import quotas, usage
from credits.services.locks import read_account, read_with_holds
from credits.services.once import Once

CHECK = CheckRequest()
QUOTA = QuotaRequest()
QUOTA_KEY = QuotaKeyRequest()
OVERRIDE = OverrideRequest()
FROM = OpenApiParameter("from", date, description="From this day of the account's.")
TO = OpenApiParameter("to", date, description="To the end of this day; by default today.")
PERIOD = OpenApiParameter("period", str, enum=[period.value for period in Period], description="By default daily.")
FEATURE = OpenApiParameter("feature", str, description="Only of this feature; empty: of what named none.")


class UseMixin(ApiViewSet):
    """Addresses below an account about its use."""

    scopes = dict.fromkeys(("set_quota", "override_quota", "reset_quota"), Scope.QUOTAS_WRITE)

    @describe(
        "Check a charge",
        tag="Usage",
        request=CheckRequest,
        asked={"feature": "ml-analysis"},
        answer=PreviewOut,
        example=use_examples.PREVIEW,
        parameters=[UNIT],
    )
    @action(detail=True, methods=["post"])
    def check(self, request: Request, external_id: str) -> Response:
        """May it do this, and what would it cost? Makes the plan that the charge makes, and writes nothing."""
        asked = CHECK.read(request.data)
        why = memo(request, asked)
        use = None if "amount" in asked else use_of(asked)

        def told(owner: Owner) -> Response:
            preview = usage.preview_charge(account=owner.account, memo=why, usage=use, amount=asked.get("amount"))
            return Response(print_preview(preview))

        return for_owner(request, external_id, told)

    @describe(
        "Quotas of an account",
        tag="Quotas",
        answer=QuotasOut,
        example=use_examples.QUOTAS,
        parameters=[UNIT],
    )
    @action(detail=True, methods=["get"], filterset_class=None, pagination_class=None)
    def quotas(self, request: Request, external_id: str) -> Response:
        """As they stand now, whether or not any clock ran: its plan's limits, its own, and those for the time being."""

        def told(owner: Owner) -> Response:
            sheet = read_with_holds(owner.account)
            standings = [standing(sheet, count) for count in limited(sheet)]
            return Response(
                {
                    "account": owner.external_id,
                    "unit": owner.unit,
                    "quotas": [print_quota(each) for each in standings],
                }
            )

        return for_owner(request, external_id, told)

    @describe(
        "Set a quota",
        tag="Quotas",
        request=QuotaRequest,
        asked={**use_examples.QUOTA_KEY, "limit": 20},
        answer=QuotaOut,
        example=use_examples.QUOTA,
        parameters=[UNIT],
        writes=True,
    )
    @quotas.mapping.put
    def set_quota(self, request: Request, external_id: str) -> HttpResponse:
        """A limit of the account's own, which goes before its plan's. Null takes it away."""
        asked = QUOTA.read(request.data)
        return _on_quota(
            request,
            external_id,
            lambda once, account: quotas.set_quota(
                once=once, account=account, key=_key(asked), limit=asked["limit"], hard=asked["hard"]
            ),
        )

    @describe(
        "Override a quota",
        tag="Quotas",
        request=OverrideRequest,
        asked={**use_examples.QUOTA_KEY, "limit": 50, "until": "2026-10-10T00:00:00Z", "reason": "Launch day"},
        answer=QuotaOut,
        example=use_examples.QUOTA | {"limit": 50, "source": "override", "override_until": "2026-10-10T00:00:00Z"},
        parameters=[UNIT],
        writes=True,
    )
    @action(detail=True, methods=["post"], url_path="quotas/override")
    def override_quota(self, request: Request, external_id: str) -> HttpResponse:
        """Another limit for the time being; a limit of null ends it."""
        asked = OVERRIDE.read(request.data)

        def act(once: Once | None, account: UUID) -> Standing:
            if asked["limit"] is None:
                return quotas.end_override(once=once, account=account, key=_key(asked))
            return quotas.override_quota(
                once=once,
                account=account,
                key=_key(asked),
                limit=asked["limit"],
                until=asked["until"],
                reason=asked.get("reason", ""),
            )

        return _on_quota(request, external_id, act)

    @describe(
        "Reset a quota",
        tag="Quotas",
        request=QuotaKeyRequest,
        asked=use_examples.QUOTA_KEY,
        answer=QuotaOut,
        example=use_examples.QUOTA | {"used": 0, "remaining": 20},
        parameters=[UNIT],
        writes=True,
    )
    @action(detail=True, methods=["post"], url_path="quotas/reset")
    def reset_quota(self, request: Request, external_id: str) -> HttpResponse:
        """What was used so far counts no more in the running window."""
        asked = QUOTA_KEY.read(request.data)
        return _on_quota(
            request,
            external_id,
            lambda once, account: quotas.reset_quota(once=once, account=account, key=_key(asked)),
        )

    @describe(
        "Past windows of quotas",
        tag="Quotas",
        answer=QuotaWindowOut(many=True),
        example=use_examples.QUOTA_WINDOW,
        parameters=[UNIT],
    )
    @action(detail=True, methods=["get"], url_path="quotas/history", filterset_class=None, pagination_class=Pages)
    def quota_history(self, request: Request, external_id: str) -> Response:
        """What was used in windows that are over, the latest closed first."""

        def page(owner: Owner) -> Response:
            read_account(owner.account)
            rows: QuerySet[QuotaWindow] = QuotaWindow.objects.filter(account_id=owner.account)
            return self.answer_page(rows, print_window)

        return for_owner(request, external_id, page)

    @describe(
        "Statistics of an account",
        tag="Usage",
        answer=StatisticsOut,
        example=use_examples.STATISTICS,
        parameters=[UNIT, PERIOD, FROM, TO, FEATURE],
    )
    @action(detail=True, methods=["get"], filterset_class=None, pagination_class=None)
    def stats(self, request: Request, external_id: str) -> Response:
        """By day, week or month in the account's time zone, periods without movements too."""
        feature = request.query_params.get("feature")

        def told(owner: Owner) -> Response:
            account = account_of(owner)
            stats = statistics_of(request, account, feature)
            named = {"account": owner.external_id, "unit": owner.unit, "time_zone": account.time_zone}
            return Response({**named, "feature": feature, **print_statistics(stats)})

        return for_owner(request, external_id, told)

    @describe(
        "Usage by feature",
        tag="Usage",
        answer=UsageOut,
        example=use_examples.USAGE,
        parameters=[UNIT, FROM, TO],
    )
    @action(detail=True, methods=["get"], filterset_class=None, pagination_class=None)
    def usage(self, request: Request, external_id: str) -> Response:
        """What each feature consumed, the most first. By default over thirty days."""

        def told(owner: Owner) -> Response:
            account = account_of(owner)
            last = day(request, "to") or today(account)
            first = day(request, "from") or last - timedelta(days=29)
            found = statistics.usage_by_feature(account, first_day=first, last_day=last)
            features = [{"feature": feature, **print_figures(figures)} for feature, figures in found]
            named = {"account": owner.external_id, "unit": owner.unit, "from": first, "to": last}
            return Response({**named, "features": features})

        return for_owner(request, external_id, told)


def statistics_of(request: Request, account: Account, feature: str | None = None) -> statistics.Statistics:
    """Return the statistics that ``?period=&from=&to=`` ask for. Raises InvalidField for what makes no sense."""
    period = request.query_params.get("period", Period.DAILY.value)
    if period not in set(Period):
        raise refusals.InvalidField("period", f"Ask for one of {', '.join(Period)}.")
    first, last = day(request, "from"), day(request, "to")
    if feature is not None and ("\0" in feature or len(feature) > 100):
        raise refusals.InvalidField("feature", "There is no such feature.")
    try:
        return statistics.statistics(
            account, Period(period), today=today(account), first_day=first, last_day=last, feature=feature
        )
    except statistics.TooLong as error:
        raise refusals.InvalidField("from", str(error)) from None


def day(request: Request, name: str) -> date | None:
    """Return the day that a query parameter names. Raises InvalidField for anything else."""
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        named = date.fromisoformat(text)
    except ValueError:
        named = date.min
    if not 1970 <= named.year <= 9000:
        raise refusals.InvalidField(name, "Send a day, for example 2026-10-08.")
    return named


def today(account: Account) -> date:
    """Return the account's day now."""
    sheet = read_account(account.pk)
    return sheet.calendar.day(sheet.at)


def account_of(owner: Owner) -> Account:
    """Return an owner's account. Raises UnknownAccount."""
    account = Account.objects.filter(pk=owner.account).first()
    if account is None:
        raise refusals.UnknownAccount("There is no such account.")
    return account


def _key(asked: dict[str, Any]) -> QuotaKey:
    return QuotaKey(asked.get("feature", ""), asked["period"], asked["measure"])


def _on_quota(request: Request, external_id: str, act: Callable[[Once | None, UUID], Standing]) -> HttpResponse:
    """Do something with a quota, and answer with it as it stands then."""
    return on_account(request, external_id, act, print_quota, status=200)
