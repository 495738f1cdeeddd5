"""Dialect E's subscriptions: what the Next.js app's server calls, below ``/api/subscriptions/{userId}``.

Its words are fewer than ours. A subscription that is to end is CANCELED as soon as that is known, and keeps its tier
until ``current_period_end``; one that is paused reads as the default tier. To it a user never seen is on the default
tier, ACTIVE, and its ``id`` is null, as is that of every user without a subscription.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from credits.amounts import number
from credits.api.calls import owner_named, perform
from credits.api.dialects.nextapp import TAG, UNIT, USER
from credits.api.fields import PathIdField, RequestSerializer, TextField
from credits.api.schema import describe
from credits.api.shapes import AmountOut
from credits.api.views.base import ApiViewSet
from credits.models import Account, Measure, QuotaPeriod, Scope
from credits.plan import Owner
from credits.plan.quotas import Standing as QuotaStanding
from credits.plan.state import ZERO
from credits.refusals import InvalidField
from credits.services import clock
from credits.services.locks import read_with_holds
from subscriptions import providers, queries
from subscriptions.api.views.subscriptions import cause
from subscriptions.models import Plan, Status, Subscription
from subscriptions.providers import collector_of, through
from subscriptions.rules import State
from subscriptions.services.by_account import cancel_of, go_to_plan
from subscriptions.services.rows import current_version, live_row, state_of, whole_rows
from subscriptions.services.writing import Cause

STATUSES = ["ACTIVE", "CANCELED", "PAST_DUE"]
SUBSCRIPTION = {
    "id": "019a9f10-5c00-7000-8000-000000000201",
    "user_id": USER,
    "tier": "PRO",
    "status": "ACTIVE",
    "current_period_end": "2026-11-08T16:30:00Z",
    "stripe_subscription_id": None,
    "created_at": "2026-10-08T16:30:00Z",
    "updated_at": "2026-10-08T16:30:00Z",
}


class TierRequest(RequestSerializer):
    tier = TextField(max_length=50, help_text="FREE, PRO, PREMIUM: a plan's code.")


class UserCancelRequest(RequestSerializer):
    only_known = True

    at_period_end = serializers.BooleanField(default=True)


class UserSubscriptionOut(serializers.Serializer[Any]):
    id = serializers.UUIDField(allow_null=True)
    user_id = serializers.CharField()
    tier = serializers.CharField()
    status = serializers.ChoiceField(STATUSES)
    current_period_end = serializers.DateTimeField(allow_null=True)
    stripe_subscription_id = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField(allow_null=True)
    updated_at = serializers.DateTimeField(allow_null=True)


class UserCheckoutOut(UserSubscriptionOut):
    checkout_url = serializers.URLField(required=False, help_text="Where to pay; nothing is changed before.")


class UserQuotaOut(serializers.Serializer[Any]):
    feature = serializers.CharField(help_text="Empty: all features.")
    period = serializers.ChoiceField(QuotaPeriod.choices)
    measure = serializers.ChoiceField(Measure.choices)
    limit = AmountOut()
    used = AmountOut()
    remaining = AmountOut()
    resets_at = serializers.DateTimeField()


PATH_ID = PathIdField()
TIER = TierRequest()
CANCEL = UserCancelRequest()


class NextAppSubscriptionViewSet(ApiViewSet):
    """The app's subscription calls."""

    pagination_class = None
    scopes = dict.fromkeys(("upgrade", "cancel"), Scope.SUBSCRIPTIONS_WRITE)

    @describe("Subscription of a user", tag=TAG, answer=UserSubscriptionOut, example=SUBSCRIPTION)
    def retrieve(self, request: Request, user_id: str) -> Response:
        """A user without a subscription, or never seen, is on the default tier."""
        return Response(_now(_owner(user_id)))

    @describe(
        "Change a user's tier",
        tag=TAG,
        request=TierRequest,
        asked={"tier": "PRO"},
        answer=UserCheckoutOut,
        example=SUBSCRIPTION,
        writes=True,
    )
    def upgrade(self, request: Request, user_id: str) -> HttpResponse:
        """At once to a higher tier; to a lower one with the next period. Opens the account where there is none.

        Where payment is due first, the answer holds a `checkout_url`, and the subscription as it still is.
        """
        asked = TIER.read(request.data)
        owner, tier = _owner(user_id), asked["tier"]
        if not Plan.objects.filter(pk=tier).exists():
            raise InvalidField("tier", f"There is no tier {tier}.")
        kept = _kept_elsewhere(owner)
        if kept is not None:
            act = partial(_go_at_provider, kept, tier, cause(request, asked))
            return perform(request, lambda once: through(once, act), lambda row: _said(owner, row, state_of(row)),
                           status=200)  # fmt: skip
        pay = _checkout_url(owner, tier)
        if pay is not None:
            return Response(_now(owner) | {"checkout_url": pay})
        return perform(
            request,
            lambda once: go_to_plan(once=once, owner=owner, plan=tier, cause=cause(request, asked)),
            lambda row: _said(owner, row, state_of(row)) if row else _default(owner),
            status=200,
        )

    @describe(
        "Cancel a user's subscription",
        tag=TAG,
        request=UserCancelRequest,
        asked={"at_period_end": True},
        answer=UserSubscriptionOut,
        example=SUBSCRIPTION | {"status": "CANCELED"},
        writes=True,
    )
    def cancel(self, request: Request, user_id: str) -> HttpResponse:
        """With its period, or at once. A user without a subscription is a 404."""
        asked = CANCEL.read(request.data)
        owner = _owner(user_id)
        kept = _kept_elsewhere(owner)
        if kept is not None:
            why = cause(request, asked)
            act = partial(_end_at_provider, kept, at_period_end=asked["at_period_end"], why=why)
            return perform(request, lambda once: through(once, act), lambda row: _said(owner, row, state_of(row)),
                           status=200)  # fmt: skip
        return perform(
            request,
            lambda once: cancel_of(
                once=once, account=owner.account, at_period_end=asked["at_period_end"], cause=cause(request, asked)
            ),
            lambda row: _said(owner, row, state_of(row)),
            status=200,
        )

    @describe(
        "Quotas of a user",
        tag=TAG,
        answer=UserQuotaOut(many=True),
        example={
            "feature": "ml-analysis",
            "period": "daily",
            "measure": "quantity",
            "limit": 20,
            "used": 12,
            "remaining": 8,
            "resets_at": "2026-10-09T00:00:00Z",
        },
    )
    def quotas(self, request: Request, user_id: str) -> Response:
        """Every quota of the tier; what open holds reserve counts as used up."""
        owner = _owner(user_id)
        if Account.objects.filter(pk=owner.account).exists():
            return Response([_quota(each) for each in queries.quotas_of(read_with_holds(owner.account))])
        return Response([_quota(each) for each in queries.quotas_unused(queries.default_version(UNIT), clock.now())])


def _owner(user_id: str) -> Owner:
    """Return a user's account. Raises ValidationError for an id that none could have."""
    return owner_named(PATH_ID.read("user_id", user_id), UNIT)


def _kept_elsewhere(owner: Owner) -> Subscription | None:
    """Return a user's subscription where a provider keeps it."""
    row = live_row(owner.account)
    return row if row is not None and collector_of(row) is not None else None


def _go_at_provider(row: Subscription, tier: str, why: Cause) -> Subscription:
    """Bring a subscription to a tier at the provider's: to the default one with its period."""
    collector, version = collector_of(row), current_version(tier)
    if version.plan.is_default:
        return _end_at_provider(row, at_period_end=True, why=why)
    if collector is not None and version.plan_id == row.plan_version.plan_id:
        collector.resume(subscription=row, cause=why)
    elif collector is not None:
        lower = version.plan.rank < row.plan_version.plan.rank
        (collector.change_later if lower else collector.change)(subscription=row, version=version, cause=why)
    return whole_rows().get(pk=row.pk)


def _end_at_provider(row: Subscription, *, at_period_end: bool, why: Cause) -> Subscription:
    collector = collector_of(row)
    if collector is not None:
        collector.cancel(subscription=row, at_period_end=at_period_end, cause=why)
    return whole_rows().get(pk=row.pk)


def _checkout_url(owner: Owner, tier: str) -> str | None:
    """Return where a user pays before going to a tier, if payment is due for it."""
    version = queries.newest_version(tier)
    rank = -1
    if Account.objects.filter(pk=owner.account).exists():
        state = queries.current_subscription(owner.account).state
        rank = state.terms.rank if state else -1
    if version.plan.is_default or version.plan.rank <= rank:
        return None
    return providers.chosen().checkout_url(owner=owner, version=version)


def _now(owner: Owner) -> dict[str, Any]:
    """Return what a user is on."""
    if Account.objects.filter(pk=owner.account).exists():
        standing = queries.current_subscription(owner.account)
        if standing.subscription is not None and standing.state is not None:
            return _said(owner, standing.subscription, standing.state)
    return _default(owner)


def _default(owner: Owner) -> dict[str, Any]:
    version = queries.default_version(UNIT)
    opened = Account.objects.filter(pk=owner.account).values_list("created_at", flat=True).first()
    return {
        "id": None,
        "user_id": owner.external_id,
        "tier": version.plan_id if version else "FREE",
        "status": "ACTIVE",
        "current_period_end": None,
        "stripe_subscription_id": None,
        "created_at": opened,
        "updated_at": opened,
    }


def _said(owner: Owner, row: Subscription, state: State) -> dict[str, Any]:
    ending = state.cancel_at_period_end or state.status == Status.CANCELED
    outside = state.status in {Status.CANCELED, Status.PAUSED}
    return {
        "id": row.pk,
        "user_id": owner.external_id,
        "tier": _default(owner)["tier"] if outside else state.terms.plan,
        "status": "CANCELED" if ending else "PAST_DUE" if state.status == Status.PAST_DUE else "ACTIVE",
        "current_period_end": state.ended_at or state.period_end,
        "stripe_subscription_id": row.provider_reference or None,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def _quota(standing: QuotaStanding) -> dict[str, Any]:
    count = standing.count
    limit = count.limit_at(standing.at) or ZERO
    return {
        "feature": count.feature,
        "period": count.period,
        "measure": count.measure,
        "limit": number(limit),
        "used": number(count.used),
        "remaining": number(max(limit - count.used - standing.reserved, ZERO)),
        "resets_at": count.resets_at,
    }
