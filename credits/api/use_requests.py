"""The bodies of requests about use: what was used, prices, quotas."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework import serializers

from credits.api.fields import AmountField, MomentField, QuantityField, RequestSerializer, TextField, ZeroOrMoreField
from credits.api.requests import CaptureRequest, MemoMixin, OnAccount
from credits.models import Measure, PriceScheme, QuotaPeriod
from credits.plan import Usage
from credits.plan.pricing import MOST_TOKENS, TOKENS
from credits.plan.state import ONE


class TokensMixin(RequestSerializer):
    quantity = QuantityField(required=False, help_text="How much of the feature; by default 1.")
    input_tokens = serializers.IntegerField(
        min_value=0, max_value=MOST_TOKENS, required=False, help_text="Without the cached ones: each counts once."
    )
    output_tokens = serializers.IntegerField(
        min_value=0, max_value=MOST_TOKENS, required=False, help_text="Without those of reasoning."
    )
    cached_input_tokens = serializers.IntegerField(min_value=0, max_value=MOST_TOKENS, required=False)
    reasoning_tokens = serializers.IntegerField(min_value=0, max_value=MOST_TOKENS, required=False)


class UseMixin(TokensMixin, MemoMixin):
    feature = TextField(max_length=100, required=False, allow_blank=True, help_text="What was used.")
    model = TextField(max_length=100, required=False, allow_blank=True, help_text="Which AI model was used.")
    trace_id = TextField(
        max_length=255, required=False, allow_blank=True, help_text="Charges this use once, for ever; a reference."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Require a feature or a model, and let the trace be the reference."""
        if not attrs.get("feature") and not attrs.get("model"):
            raise serializers.ValidationError({"feature": ["Say which feature was used, or which model."]})
        if attrs.get("trace_id"):
            if attrs.get("reference_id"):
                raise serializers.ValidationError({"trace_id": ["Send trace_id or a reference, not both."]})
            attrs |= {"reference_type": "trace", "reference_id": attrs["trace_id"]}
        return attrs


class UsageRequest(OnAccount, UseMixin):
    """A use on an account."""


class UsageHoldRequest(UsageRequest):
    ttl_seconds = serializers.IntegerField(
        min_value=1, max_value=settings.HOLD_SECONDS_MAX, required=False, help_text="How long it lasts."
    )
    abandoned_percent = serializers.IntegerField(
        min_value=0, max_value=100, required=False, help_text="What nobody coming back costs, of the worst case."
    )


class CaptureUseMixin(TokensMixin):
    """A capture of an amount, or of a real use at the price that the hold was placed at."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse both at once."""
        if "amount" in attrs and says_use(attrs):
            raise serializers.ValidationError({"amount": ["Send an amount or a use, not both."]})
        return attrs


class CaptureUsageRequest(CaptureUseMixin, CaptureRequest):
    pass


class CheckRequest(TokensMixin, MemoMixin):
    model = TextField(max_length=100, required=False, allow_blank=True)
    amount = AmountField(required=False, help_text="Check a debit of this; or name a feature or model.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Require an amount or a use, one of the two."""
        if "amount" in attrs and (attrs.get("model") or says_use(attrs)):
            raise serializers.ValidationError({"amount": ["Send an amount or a use, not both."]})
        if "amount" not in attrs and not attrs.get("feature") and not attrs.get("model"):
            raise serializers.ValidationError({"amount": ["Send an amount, a feature or a model."]})
        return attrs


class PriceRequest(RequestSerializer):
    only_known = True
    unit = TextField(max_length=20, required=False, help_text="By default the service's unit.")
    feature = TextField(max_length=100, required=False, allow_blank=True, help_text="What it prices: a feature,")
    model = TextField(max_length=100, required=False, allow_blank=True, help_text="or an AI model.")
    scheme = serializers.ChoiceField(PriceScheme.choices)
    terms = serializers.DictField(
        help_text="fixed: amount. per_unit: per. tiered: tiers of up_to and per. tokens: input, output, cached_input,"
        " reasoning, a million. Each greater than zero."
    )
    effective_at = MomentField(required=False, help_text="From when; by default now. Not in the past.")
    note = TextField(max_length=255, required=False, allow_blank=True)


class FeatureRequest(RequestSerializer):
    code = TextField(max_length=100, help_text="How callers name it.")
    name = TextField(max_length=100, required=False, allow_blank=True)
    description = TextField(max_length=500, required=False, allow_blank=True)


class QuotaKeyRequest(RequestSerializer):
    only_known = True
    feature = TextField(max_length=100, required=False, allow_blank=True, help_text="Empty for every feature.")
    period = serializers.ChoiceField(QuotaPeriod.choices)
    measure = serializers.ChoiceField(Measure.choices, default=Measure.CREDITS.value)


class QuotaRequest(QuotaKeyRequest):
    limit = ZeroOrMoreField(allow_null=True, help_text="The account's own limit; null takes it away.")
    hard = serializers.BooleanField(default=True, help_text="Whether it refuses; a soft one only warns.")


class OverrideRequest(QuotaKeyRequest):
    limit = ZeroOrMoreField(allow_null=True, help_text="The limit until then; null ends an override.")
    until = MomentField(required=False, help_text="When the usual limit holds again.")
    reason = TextField(max_length=255, required=False, allow_blank=True, help_text="Why, for support.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Require an end for a limit."""
        if attrs["limit"] is not None and "until" not in attrs:
            raise serializers.ValidationError({"until": ["Say when it ends."]})
        return attrs


def says_use(asked: dict[str, Any]) -> bool:
    """Tell whether a body says how much was used."""
    return any(name in asked for name in ("quantity", *TOKENS))


def usage(asked: dict[str, Any]) -> Usage:
    """Return the use that a body says."""
    return Usage(
        feature=asked.get("feature", ""),
        model=asked.get("model", ""),
        quantity=asked.get("quantity", ONE),
        **{name: asked[name] for name in TOKENS if name in asked},
    )
