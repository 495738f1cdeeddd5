"""Subscriptions: begin, list, look at, change, preview, and their history."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django_filters import rest_framework as filters
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from credits.api.calls import actor, perform
from credits.api.schema import describe
from credits.api.views.base import ApiViewSet
from credits.models import Scope, Unit
from credits.plan import Owner
from credits.services import clock
from credits.services.locks import read_account
from subscriptions import providers, queries, refusals, rules
from subscriptions.api import examples
from subscriptions.api.requests import (
    CancelRequest,
    DowngradeRequest,
    PreviewRequest,
    ReasonMixin,
    SubscribeRequest,
    UpgradeRequest,
)
from subscriptions.api.shapes import (
    ChangePreviewOut,
    SubscriptionChangeOut,
    SubscriptionOut,
    print_change,
    print_preview,
    print_subscription,
)
from subscriptions.models import PlanVersion, Status, Subscription, SubscriptionChange
from subscriptions.services import subscriptions
from subscriptions.services.rows import current_version, state_of, whole_rows
from subscriptions.services.writing import Cause

SUBSCRIBE = SubscribeRequest()
UPGRADE = UpgradeRequest()
DOWNGRADE = DowngradeRequest()
CANCEL = CancelRequest()
REASON = ReasonMixin()
PREVIEW = PreviewRequest()
TAG = "Subscriptions"
VERBS = ("create", "upgrade", "downgrade", "cancel", "resume", "pause")


class SubscriptionFilter(filters.FilterSet):
    account = filters.CharFilter(method="of_owner", strip=False, label="The owner's external_id.")
    status = filters.MultipleChoiceFilter(choices=Status.choices)
    plan = filters.CharFilter(field_name="plan_version__plan")

    class Meta:
        model = Subscription
        fields: list[str] = []

    def of_owner(self, rows: Any, name: str, value: str) -> Any:
        """Keep the subscriptions of an owner's accounts, in every unit."""
        units = Unit.objects.values_list("code", flat=True)
        return rows.filter(account_id__in=[Owner(value, unit).account for unit in units])


class SubscriptionViewSet(ApiViewSet):
    """Subscriptions by their own id."""

    queryset = whole_rows()
    lookup_value_regex = "[0-9a-fA-F-]{36}"
    serializer_class = SubscriptionOut
    filterset_class = SubscriptionFilter
    scopes = dict.fromkeys(VERBS, Scope.SUBSCRIPTIONS_WRITE)

    @describe("List subscriptions", tag=TAG, answer=SubscriptionOut(many=True), example=examples.SUBSCRIPTION)
    def list(self, request: Request) -> Response:
        """Newest first, ended ones too, as last written."""
        return self.answer_page(self.filter_queryset(self.get_queryset()), _stored)

    @describe(
        "Subscribe an account",
        tag=TAG,
        request=SubscribeRequest,
        asked=examples.SUBSCRIBE,
        answer=SubscriptionOut,
        status=201,
        example=examples.SUBSCRIPTION,
        writes=True,
    )
    def create(self, request: Request) -> HttpResponse:
        """From now on. An account has one subscription; an account that does not exist is a 404.

        Where it is paid for first: 402 `payment_due`, and `checkout_url` says where.
        """
        asked = SUBSCRIBE.read(request.data)
        version = current_version(asked["plan"])
        owner = Owner(asked["account"], version.unit_id)
        read_account(owner.account)
        pay = (
            None
            if asked["by_hand"] or version.plan.is_default
            else providers.chosen().checkout_url(owner=owner, version=version, trial=asked["trial"])
        )
        if pay is not None:
            raise refusals.PaymentDue("It begins once it is paid for.", checkout_url=pay)
        return perform(
            request,
            lambda once: subscriptions.subscribe(
                once=once,
                account=owner.account,
                plan=asked["plan"],
                trial=asked["trial"],
                cause=cause(request, asked),
            ),
            _stored,
        )

    @describe("Look at a subscription", tag=TAG, answer=SubscriptionOut, example=examples.SUBSCRIPTION)
    def retrieve(self, request: Request, pk: str) -> Response:
        """As it is now, whether or not any clock ran."""
        return Response(print_subscription(*queries.subscription_now(subscription_id(pk))))

    @describe(
        "History of a subscription",
        tag=TAG,
        answer=SubscriptionChangeOut(many=True),
        example=examples.CHANGE,
    )
    @action(detail=True, methods=["get"], filterset_class=None)
    def history(self, request: Request, pk: str) -> Response:
        """Newest first, as last written: what happened, who did it, and the figures it was worked out with."""
        row, _ = queries.subscription_now(subscription_id(pk))
        changes = SubscriptionChange.objects.filter(subscription=row).select_related("from_version", "to_version")
        return self.answer_page(changes, print_change)

    @describe(
        "Upgrade a subscription",
        tag=TAG,
        request=UpgradeRequest,
        asked={"plan": "PREMIUM"},
        answer=SubscriptionOut,
        example=examples.UPGRADED,
        writes=True,
    )
    @action(detail=True, methods=["post"], filterset_class=None)
    def upgrade(self, request: Request, pk: str) -> HttpResponse:
        """At once: what the plan allows, and the difference of its credits for the rest of the month."""
        asked = UPGRADE.read(request.data)
        return self.change(request, pk, asked, subscriptions.upgrade, plan=asked["plan"])

    @describe(
        "Downgrade a subscription",
        tag=TAG,
        request=DowngradeRequest,
        asked={"plan": "PRO"},
        answer=SubscriptionOut,
        example=examples.DOWNGRADED,
        writes=True,
    )
    @action(detail=True, methods=["post"], filterset_class=None)
    def downgrade(self, request: Request, pk: str) -> HttpResponse:
        """With the next period, or at once. Credits that were granted stay."""
        asked = DOWNGRADE.read(request.data)
        at_once = not asked["at_period_end"]
        return self.change(request, pk, asked, subscriptions.downgrade, plan=asked["plan"], at_once=at_once)

    @describe(
        "Cancel a subscription",
        tag=TAG,
        request=CancelRequest,
        asked={"at_period_end": True},
        answer=SubscriptionOut,
        example=examples.SUBSCRIPTION | {"cancel_at_period_end": True},
        writes=True,
    )
    @action(detail=True, methods=["post"], filterset_class=None)
    def cancel(self, request: Request, pk: str) -> HttpResponse:
        """With its period, or at once. Credits that were granted stay until they expire."""
        asked = CANCEL.read(request.data)
        return self.change(request, pk, asked, subscriptions.cancel, at_period_end=asked["at_period_end"])

    @describe(
        "Resume a subscription",
        tag=TAG,
        request=ReasonMixin,
        asked={"reason": "Changed her mind"},
        answer=SubscriptionOut,
        example=examples.SUBSCRIPTION,
        writes=True,
    )
    @action(detail=True, methods=["post"], filterset_class=None)
    def resume(self, request: Request, pk: str) -> HttpResponse:
        """Take back a cancellation or a scheduled change, or go on after a pause."""
        return self.change(request, pk, REASON.read(request.data), subscriptions.resume)

    @describe(
        "Pause a subscription",
        tag=TAG,
        request=ReasonMixin,
        asked={"reason": "On leave"},
        answer=SubscriptionOut,
        example=examples.SUBSCRIPTION | {"status": "paused", "paused_at": "2026-10-23T16:30:00Z"},
        writes=True,
    )
    @action(detail=True, methods=["post"], filterset_class=None)
    def pause(self, request: Request, pk: str) -> HttpResponse:
        """Until it is resumed the account is on the default plan, and no credits come."""
        return self.change(request, pk, REASON.read(request.data), subscriptions.pause)

    @describe(
        "Preview a change",
        tag=TAG,
        request=PreviewRequest,
        asked={"verb": "upgrade", "plan": "PREMIUM"},
        answer=ChangePreviewOut,
        example=examples.PREVIEW,
    )
    @action(detail=True, methods=["post"], filterset_class=None)
    def preview(self, request: Request, pk: str) -> Response:
        """What a change would do now, by the very rules that do it, and what it costs; writes nothing."""
        asked = PREVIEW.read(request.data)
        verb, at_once = asked["verb"], not asked["at_period_end"]
        preview = queries.preview_change(
            subscription=subscription_id(pk), verb=verb, plan=asked.get("plan", ""), at_once=at_once
        )
        cost = _cost(preview, subscription_id(pk), at_once=at_once or verb == "upgrade")
        return Response(print_preview(verb, preview, cost))

    def change(self, request: Request, pk: str, asked: Mapping[str, Any], service: Any, **how: Any) -> HttpResponse:
        """Do a verb, and answer with the subscription: at the provider's, where one keeps it."""
        row = whole_rows().filter(pk=subscription_id(pk)).first()
        collector = providers.collector_of(row) if row else None
        if row is not None and collector is not None:
            act = partial(_act_at, collector, row, service, how, cause(request, asked))
            return perform(request, lambda once: providers.through(once, act), _stored, status=200)
        return perform(
            request,
            lambda once: service(once=once, subscription=subscription_id(pk), cause=cause(request, asked), **how),
            _stored,
            status=200,
        )


def cause(request: Request, asked: Mapping[str, Any]) -> Cause:
    """Return who asks for a change, and why."""
    return Cause(actor(request), asked.get("reason", ""), request.META["florin.request_id"])


def subscription_id(text: Any) -> UUID:
    """Return a subscription's id. Raises UnknownSubscription for text that is none."""
    try:
        return UUID(str(text))
    except ValueError:
        raise refusals.UnknownSubscription("There is no such subscription.") from None


def _stored(row: Subscription) -> dict[str, Any]:
    return print_subscription(row, state_of(row))


def _act_at(
    collector: providers.Collector, row: Subscription, service: Any, how: Mapping[str, Any], why: Cause
) -> Subscription:
    """Do a verb at the provider's that keeps a subscription. Raises NotNow for one that it cannot do.

    What the rules refuse is refused before the provider is asked.
    """
    if service in {subscriptions.upgrade, subscriptions.downgrade}:
        at_once = service is subscriptions.upgrade or how["at_once"]
        version = current_version(how["plan"])
        _check_change(row, version, upward=service is subscriptions.upgrade)
        if version.plan.is_default:
            collector.cancel(subscription=row, at_period_end=not at_once, cause=why)
        else:
            (collector.change if at_once else collector.change_later)(subscription=row, version=version, cause=why)
    elif service is subscriptions.cancel:
        rules.cancel(state_of(row), clock.now(), at_period_end=how["at_period_end"])
        collector.cancel(subscription=row, at_period_end=how["at_period_end"], cause=why)
    elif service is subscriptions.resume:
        rules.resume(state_of(row), clock.now())
        collector.resume(subscription=row, cause=why)
    else:
        raise refusals.NotNow("Who collects its payments pauses it, in the provider's dashboard.")
    return whole_rows().get(pk=row.pk)


def _check_change(row: Subscription, version: PlanVersion, *, upward: bool) -> None:
    """Refuse what the rules refuse too, before the provider is asked."""
    state = state_of(row)
    if state.status == Status.CANCELED:
        raise refusals.SubscriptionEnded("The subscription has ended: subscribe the account anew.")
    if state.status in {Status.PAST_DUE, Status.PAUSED}:
        raise refusals.NotNow("Pay what is due, or resume it, before changing the plan.")
    if version.plan_id == state.terms.plan:
        raise refusals.SamePlan(f"The subscription is on {version.plan_id} already.")
    if upward and version.plan.rank < state.terms.rank:
        raise refusals.NotAnUpgrade(f"{version.plan_id} ranks below {state.terms.plan}: downgrade to it.")
    if not upward and version.plan.rank > state.terms.rank:
        raise refusals.NotADowngrade(f"{version.plan_id} ranks above {state.terms.plan}: upgrade to it.")


def _cost(preview: queries.Preview, subscription: UUID, *, at_once: bool) -> providers.Cost | None:
    """Return what a change costs, where somebody collects it."""
    row = whole_rows().get(pk=subscription)
    collector = providers.collector_of(row)
    if collector is None:
        return None
    to = preview.after if preview.after is not None and not preview.after.plan.is_default else None
    return collector.cost(subscription=row, version=to, at_once=at_once)
