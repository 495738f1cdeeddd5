"""What answers about plans and subscriptions look like: functions that print, serializers that describe."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from credits.amounts import number
from credits.api.shapes import ActorOut, AmountOut
from credits.api.use_shapes import QuotaOut, print_quota
from credits.models import Measure, QuotaPeriod
from credits.plan import Sheet
from subscriptions import queries
from subscriptions.api.requests import PREVIEWED
from subscriptions.models import Interval, PlanVersion, QuotasFollow, Status, Subscription, SubscriptionChange, Verb
from subscriptions.providers import Cost
from subscriptions.queries import Preview, Standing
from subscriptions.rules import State


def print_plan(version: PlanVersion) -> dict[str, Any]:
    """Return a plan as its version has it."""
    plan = version.plan
    return {
        "code": plan.pk,
        "name": plan.name,
        "rank": plan.rank,
        "is_default": plan.is_default,
        "active": plan.active,
        "version": version.number,
        "price_minor": version.price_minor,
        "currency": version.currency,
        "interval": version.interval,
        "unit": version.unit_id,
        "monthly_credits": number(version.monthly_credits),
        "rollover_cap": None if version.rollover_cap is None else number(version.rollover_cap),
        "trial_days": version.trial_days,
        "trial_credits": number(version.trial_credits),
        "grace_days": version.grace_days,
        "features": version.features,
        "limits": [
            {"feature": feature, "period": period, "measure": measure, "limit": number(Decimal(limit)), "hard": hard}
            for feature, period, measure, limit, hard in version.limits
        ],
        "quotas_follow": version.quotas_follow,
    }


def print_subscription(row: Subscription, state: State) -> dict[str, Any]:
    """Return a subscription in a state."""
    following = state.next_terms
    return {
        "id": row.pk,
        "account": row.account.external_id,
        "unit": row.account.unit_id,
        "plan": state.terms.plan,
        "plan_version": state.terms.number,
        "status": state.status,
        "provider": row.provider,
        "provider_reference": row.provider_reference or None,
        "current_period_start": state.period_start,
        "current_period_end": state.period_end,
        "trial_ends_at": state.trial_ends_at,
        "grace_ends_at": state.grace_ends_at,
        "cancel_at_period_end": state.cancel_at_period_end,
        "next_plan": following.plan if following else None,
        "next_plan_version": following.number if following else None,
        "paused_at": state.paused_at,
        "ended_at": state.ended_at,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def print_change(row: SubscriptionChange) -> dict[str, Any]:
    """Return a step of a subscription's history."""
    return {
        "id": row.pk,
        "verb": row.verb,
        "at": row.at,
        "from_status": row.from_status or None,
        "to_status": row.to_status,
        "from_plan": row.from_version.plan_id if row.from_version else None,
        "from_plan_version": row.from_version.number if row.from_version else None,
        "to_plan": row.to_version.plan_id,
        "to_plan_version": row.to_version.number,
        "actor": {"kind": row.actor_kind, "id": row.actor_id, "name": row.actor_name},
        "reason": row.reason,
        "metadata": row.metadata,
        "recorded_at": row.recorded_at,
    }


def print_preview(verb: str, preview: Preview, cost: Cost | None = None) -> dict[str, Any]:
    """Return what a change would do."""
    return {
        "verb": verb,
        "effective_at": preview.effective_at,
        "credits_now": number(preview.step.credits_now),
        "figures": preview.step.figures,
        "before": print_plan(preview.before),
        "after": print_plan(preview.after) if preview.after else None,
        "price_difference_minor": preview.price_difference,
        "payment": _print_cost(cost) if cost else None,
    }


def _print_cost(cost: Cost) -> dict[str, Any]:
    return {
        "currency": cost.currency,
        "due_now_minor": cost.due_now,
        "credit_minor": cost.credit,
        "next_invoice_minor": cost.next_invoice,
        "next_invoice_at": cost.next_invoice_at,
    }


def print_entitlements(sheet: Sheet, standing: Standing) -> dict[str, Any]:
    """Return what an account may use."""
    return {
        "account": sheet.owner.external_id,
        "unit": sheet.owner.unit,
        "plan": standing.version.plan_id if standing.version else None,
        "plan_version": standing.version.number if standing.version else None,
        "status": standing.status,
        "subscription_id": standing.subscription.pk if standing.subscription else None,
        "current_period_end": standing.state.period_end if standing.state else None,
        "features": [{"feature": code, "enabled": enabled} for code, enabled in queries.features_of(sheet)],
        "quotas": [print_quota(each) for each in queries.quotas_of(sheet)],
    }


class PlanLimitOut(serializers.Serializer[Any]):
    feature = serializers.CharField(help_text="Empty: all features.")
    period = serializers.ChoiceField(QuotaPeriod.choices)
    measure = serializers.ChoiceField(Measure.choices)
    limit = AmountOut()
    hard = serializers.BooleanField()


class PlanOut(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()
    rank = serializers.IntegerField()
    is_default = serializers.BooleanField()
    active = serializers.BooleanField()
    version = serializers.IntegerField()
    price_minor = serializers.IntegerField()
    currency = serializers.CharField()
    interval = serializers.ChoiceField(Interval.choices)
    unit = serializers.CharField()
    monthly_credits = AmountOut()
    rollover_cap = AmountOut(allow_null=True)
    trial_days = serializers.IntegerField()
    trial_credits = AmountOut()
    grace_days = serializers.IntegerField()
    features = serializers.ListField(child=serializers.CharField())
    limits = PlanLimitOut(many=True)
    quotas_follow = serializers.ChoiceField(QuotasFollow.choices)


class SubscriptionOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    account = serializers.CharField()
    unit = serializers.CharField()
    plan = serializers.CharField()
    plan_version = serializers.IntegerField()
    status = serializers.ChoiceField(Status.choices)
    provider = serializers.CharField()
    provider_reference = serializers.CharField(allow_null=True)
    current_period_start = serializers.DateTimeField()
    current_period_end = serializers.DateTimeField()
    trial_ends_at = serializers.DateTimeField(allow_null=True)
    grace_ends_at = serializers.DateTimeField(allow_null=True)
    cancel_at_period_end = serializers.BooleanField()
    next_plan = serializers.CharField(allow_null=True)
    next_plan_version = serializers.IntegerField(allow_null=True)
    paused_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class SubscriptionChangeOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    verb = serializers.ChoiceField(Verb.choices)
    at = serializers.DateTimeField(help_text="From when it holds.")
    from_status = serializers.ChoiceField(Status.choices, allow_null=True)
    to_status = serializers.ChoiceField(Status.choices)
    from_plan = serializers.CharField(allow_null=True)
    from_plan_version = serializers.IntegerField(allow_null=True)
    to_plan = serializers.CharField()
    to_plan_version = serializers.IntegerField()
    actor = ActorOut()
    reason = serializers.CharField()
    metadata = serializers.DictField(help_text="The figures of the rule, as text: exact.")
    recorded_at = serializers.DateTimeField(help_text="When it was written, which may be later.")


class CostOut(serializers.Serializer[Any]):
    currency = serializers.CharField()
    due_now_minor = serializers.IntegerField(help_text="What is collected at once.")
    credit_minor = serializers.IntegerField(help_text="What the old plan's unused rest is worth; it is counted in.")
    next_invoice_minor = serializers.IntegerField(allow_null=True)
    next_invoice_at = serializers.DateTimeField(allow_null=True)


class ChangePreviewOut(serializers.Serializer[Any]):
    verb = serializers.ChoiceField(PREVIEWED)
    effective_at = serializers.DateTimeField(help_text="From when it would hold.")
    credits_now = AmountOut(help_text="Credits it would bring at once.")
    figures = serializers.DictField(help_text="How they are worked out.")
    before = PlanOut()
    after = PlanOut(allow_null=True)
    price_difference_minor = serializers.IntegerField(
        allow_null=True, help_text="How much more a period would cost; null where intervals or currencies differ."
    )
    payment = CostOut(allow_null=True, help_text="What who collects the payments asks for it; null where nobody does.")


class FeatureAccessOut(serializers.Serializer[Any]):
    feature = serializers.CharField()
    enabled = serializers.BooleanField()


class EntitlementsOut(serializers.Serializer[Any]):
    account = serializers.CharField()
    unit = serializers.CharField()
    plan = serializers.CharField(allow_null=True)
    plan_version = serializers.IntegerField(allow_null=True)
    status = serializers.ChoiceField(Status.choices)
    subscription_id = serializers.UUIDField(allow_null=True)
    current_period_end = serializers.DateTimeField(allow_null=True)
    features = FeatureAccessOut(many=True)
    quotas = QuotaOut(many=True)
