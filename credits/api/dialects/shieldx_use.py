"""Dialect B: a tenant's statistics, and its two quotas over everything: credits a day and credits a month."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from credits.amounts import number
from credits.api.calls import perform
from credits.api.dialects.shieldx import TAG, TENANT, tenant_account
from credits.api.fields import RequestSerializer, ZeroOrMoreField
from credits.api.schema import describe
from credits.api.shapes import AmountOut
from credits.api.views.account_use import FROM, PERIOD, TO, statistics_of
from credits.api.views.base import ApiViewSet
from credits.models import Account, Measure, QuotaPeriod, Scope
from credits.plan import Owner, Sheet
from credits.plan.state import QuotaKey
from credits.services.locks import read_account
from credits.services.once import Once
from credits.services.quotas import set_quotas

DAILY = QuotaKey("", QuotaPeriod.DAILY.value, Measure.CREDITS.value)
MONTHLY = QuotaKey("", QuotaPeriod.MONTHLY.value, Measure.CREDITS.value)
QUOTAS = {
    "tenant_id": TENANT,
    "daily_limit": 10000,
    "monthly_limit": 200000,
    "current_daily_usage": 5000,
    "current_monthly_usage": 42000,
    "reset_daily_at": "2025-10-09T00:00:00Z",
    "reset_monthly_at": "2025-11-01T00:00:00Z",
}


class LimitsRequest(RequestSerializer):
    only_known = True
    daily_limit = ZeroOrMoreField(required=False, allow_null=True, help_text="Credits a day; null for no limit.")
    monthly_limit = ZeroOrMoreField(required=False, allow_null=True, help_text="Credits a month; null for no limit.")


class TenantQuotasOut(serializers.Serializer[Any]):
    tenant_id = serializers.CharField()
    daily_limit = AmountOut(allow_null=True)
    monthly_limit = AmountOut(allow_null=True)
    current_daily_usage = AmountOut()
    current_monthly_usage = AmountOut()
    reset_daily_at = serializers.DateTimeField()
    reset_monthly_at = serializers.DateTimeField()


class TenantLineOut(serializers.Serializer[Any]):
    date = serializers.DateField()
    consumed = AmountOut()
    added = AmountOut()
    balance_end = AmountOut()


class TenantStatisticsOut(serializers.Serializer[Any]):
    tenant_id = serializers.CharField()
    period = serializers.ChoiceField(QuotaPeriod.choices)
    data = TenantLineOut(many=True)  # type: ignore[assignment]  # a field, not the data
    total_consumed = AmountOut()
    average_daily = AmountOut(help_text="Consumed a day, to two decimal places.")


LIMITS = LimitsRequest()


class TenantUseViewSet(ApiViewSet):
    """The predecessor's statistics and quotas below ``/api/v1/credits``."""

    lookup_field = "tenant_id"
    scopes = {"set_quotas": Scope.QUOTAS_WRITE}

    @describe(
        "Statistics of a tenant",
        tag=TAG,
        answer=TenantStatisticsOut,
        example={
            "tenant_id": TENANT,
            "period": "daily",
            "data": [{"date": "2025-10-08", "consumed": 5000, "added": 0, "balance_end": 49900}],
            "total_consumed": 5000,
            "average_daily": 5000,
        },
        parameters=[PERIOD, FROM, TO],
    )
    def stats(self, request: Request, tenant_id: str) -> Response:
        """Every day, week or month of the last while, oldest first, those without movements too."""
        told = statistics_of(request, tenant_account(tenant_id))
        consumed = told.total.consumed
        days = max((told.last_day - told.first_day).days + 1, 1)
        return Response(
            {
                "tenant_id": tenant_id,
                "period": told.period.value,
                "data": [
                    {
                        "date": line.first_day,
                        "consumed": number(line.figures.consumed),
                        "added": number(line.figures.added),
                        "balance_end": number(line.balance_end or Decimal(0)),
                    }
                    for line in told.lines
                ],
                "total_consumed": number(consumed),
                "average_daily": number((consumed / days).quantize(Decimal("0.01"), ROUND_HALF_UP)),
            }
        )

    @describe("Quotas of a tenant", tag=TAG, answer=TenantQuotasOut, example=QUOTAS)
    def quotas(self, request: Request, tenant_id: str) -> Response:
        """Over everything it consumes. A limit of null is none; nothing is counted against it then."""
        account = tenant_account(tenant_id)
        return Response(_quotas(read_account(account.pk)))

    @describe(
        "Set the quotas of a tenant",
        tag=TAG,
        request=LimitsRequest,
        asked={"daily_limit": 10000, "monthly_limit": 200000},
        answer=TenantQuotasOut,
        example=QUOTAS,
        writes=True,
    )
    def set_quotas(self, request: Request, tenant_id: str) -> HttpResponse:
        """What is not sent stays. Counting begins with the first limit."""
        asked = LIMITS.read(request.data)
        account: Account = tenant_account(tenant_id)
        named = {"daily_limit": DAILY, "monthly_limit": MONTHLY}
        limits = {named[name]: limit for name, limit in asked.items()}

        def act(once: Once | None) -> Sheet:
            return set_quotas(once=once, account=account.pk, limits=limits)

        return perform(request, act, _quotas, status=200)


def _quotas(sheet: Sheet) -> dict[str, Any]:
    limits, used, resets = [], [], []
    for key in (DAILY, MONTHLY):
        count = sheet.quotas.get(key)
        limit = count.limit_at(sheet.at) if count else None
        limits.append(None if limit is None else number(limit))
        used.append(number(count.used) if count else 0)
        resets.append(count.resets_at if count else sheet.calendar.window(key.period, sheet.at)[1])
    owner: Owner = sheet.owner
    return {
        "tenant_id": owner.external_id,
        "daily_limit": limits[0],
        "monthly_limit": limits[1],
        "current_daily_usage": used[0],
        "current_monthly_usage": used[1],
        "reset_daily_at": resets[0],
        "reset_monthly_at": resets[1],
    }
