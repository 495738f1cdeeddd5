"""What answers about use look like: prices, quotas, previews, statistics."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from credits.amounts import number
from credits.api.shapes import AmountOut, DrawOut, print_draws
from credits.models import Feature, Measure, Price, PriceScheme, QuotaPeriod, QuotaWindow
from credits.plan.quotas import Standing
from credits.plan.state import ZERO
from credits.services.usage import Preview
from credits.statistics import Figures, Statistics


def print_feature(feature: Feature) -> dict[str, Any]:
    """Return a feature of the catalogue."""
    return {"code": feature.pk, "name": feature.name, "description": feature.description}


def print_price(price: Price) -> dict[str, Any]:
    """Return a version of a price. Its figures are text, exact."""
    return {
        "id": price.pk,
        "unit": price.unit_id,
        "feature": price.feature,
        "model": price.model,
        "version": price.version,
        "scheme": price.scheme,
        "terms": price.terms,
        "effective_at": price.effective_at,
        "note": price.note,
        "created_at": price.created_at,
    }


def print_quota(standing: Standing) -> dict[str, Any]:
    """Return a quota as it stands. ``source`` says whose limit it is: plan, account, or override for the time being."""
    count, reserved, at = standing.count, standing.reserved, standing.at
    limit = count.limit_at(at)
    overridden = count.overridden(at)
    return {
        "feature": count.feature,
        "period": count.period,
        "measure": count.measure,
        "limit": None if limit is None else number(limit),
        "hard": count.is_hard(at),
        "used": number(count.used),
        "reserved": number(reserved),
        "remaining": None if limit is None else number(max(limit - count.used - reserved, ZERO)),
        "window_start": count.window_start,
        "resets_at": count.resets_at,
        "source": "override" if overridden else "plan" if count.limit is None else "account",
        "override_until": count.override_until if overridden else None,
    }


def print_window(row: QuotaWindow) -> dict[str, Any]:
    """Return a window of a quota that is over."""
    return {
        "feature": row.feature,
        "period": row.period,
        "measure": row.measure,
        "window_start": row.window_start,
        "window_end": row.window_end,
        "used": number(row.used),
        "limit": None if row.limit is None else number(row.limit),
    }


def print_preview(preview: Preview) -> dict[str, Any]:
    """Return what a charge would do. Of a refused one, the balance as it stays."""
    movement, sheet = preview.movement, preview.sheet
    return {
        "allowed": movement is not None,
        "amount": None if preview.amount is None else number(preview.amount),
        "price": {"id": preview.tariff.id, "version": preview.tariff.version, "scheme": preview.tariff.scheme}
        if preview.tariff
        else None,
        "balance": number(movement.balance_before if movement else sheet.balance),
        "balance_after": number(sheet.balance),
        "available_after": number(sheet.available),
        "draws": print_draws(movement.draws) if movement else [],
        "quotas": [print_quota(standing) for standing in preview.quotas],
        "warnings": movement.warnings if movement else [],
        "problem": preview.refusal.told() if preview.refusal else None,
    }


def print_figures(figures: Figures) -> dict[str, Any]:
    """Return what moved."""
    return {
        "consumed": number(figures.consumed),
        "refunded": number(figures.refunded),
        "added": number(figures.added),
        "expired": number(figures.expired),
        "other": number(figures.other),
        "uses": number(figures.uses),
        "movements": int(figures.movements),
    }


def print_statistics(told: Statistics) -> dict[str, Any]:
    """Return statistics, one line a period."""
    return {
        "period": told.period.value,
        "from": told.first_day,
        "to": told.last_day,
        "data": [
            {
                "date": line.first_day,
                **print_figures(line.figures),
                **({} if line.balance_end is None else {"balance_end": number(line.balance_end)}),
            }
            for line in told.lines
        ],
        "total": print_figures(told.total),
    }


class FeatureOut(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()


class PriceOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    unit = serializers.CharField()
    feature = serializers.CharField()
    model = serializers.CharField()
    version = serializers.IntegerField()
    scheme = serializers.ChoiceField(PriceScheme.choices)
    terms = serializers.DictField()
    effective_at = serializers.DateTimeField()
    note = serializers.CharField()
    created_at = serializers.DateTimeField()


class QuotaOut(serializers.Serializer[Any]):
    feature = serializers.CharField(help_text="Empty: every feature.")
    period = serializers.ChoiceField(QuotaPeriod.choices)
    measure = serializers.ChoiceField(Measure.choices)
    limit = AmountOut(allow_null=True)
    hard = serializers.BooleanField()
    used = AmountOut()
    reserved = AmountOut(help_text="What open holds stand to take of it.")
    remaining = AmountOut(allow_null=True)
    window_start = serializers.DateTimeField()
    resets_at = serializers.DateTimeField()
    source = serializers.ChoiceField(["plan", "account", "override"])  # type: ignore[assignment]  # a field
    override_until = serializers.DateTimeField(allow_null=True)


class QuotasOut(serializers.Serializer[Any]):
    account = serializers.CharField()
    unit = serializers.CharField()
    quotas = QuotaOut(many=True)


class QuotaWindowOut(serializers.Serializer[Any]):
    feature = serializers.CharField()
    period = serializers.ChoiceField(QuotaPeriod.choices)
    measure = serializers.ChoiceField(Measure.choices)
    window_start = serializers.DateTimeField()
    window_end = serializers.DateTimeField()
    used = AmountOut()
    limit = AmountOut(allow_null=True)


class PinnedPriceOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    version = serializers.IntegerField()
    scheme = serializers.ChoiceField(PriceScheme.choices)


class PreviewOut(serializers.Serializer[Any]):
    allowed = serializers.BooleanField()
    amount = AmountOut(allow_null=True)
    price = PinnedPriceOut(allow_null=True)
    balance = AmountOut()
    balance_after = AmountOut()
    available_after = AmountOut()
    draws = DrawOut(many=True)
    quotas = QuotaOut(many=True, help_text="As they would stand.")
    warnings = serializers.ListField(child=serializers.DictField())
    problem = serializers.DictField(allow_null=True, help_text="Why it would be refused.")


class FiguresOut(serializers.Serializer[Any]):
    consumed = AmountOut(help_text="Charged for use.")
    refunded = AmountOut()
    added = AmountOut(help_text="Bought, allotted or given.")
    expired = AmountOut()
    other = AmountOut(help_text="Adjustments, transfers, reversals, and what repaid debt.")
    uses = AmountOut(help_text="How many uses were charged, less those given back.")
    movements = serializers.IntegerField()


class StatisticsLineOut(FiguresOut):
    date = serializers.DateField(help_text="The period's first day.")
    balance_end = AmountOut(required=False, help_text="Not told of a single feature.")


class BetweenDaysOut(serializers.Serializer[Any]):
    def get_fields(self) -> dict[str, Any]:
        """Add two fields whose names are words of Python's."""
        return {**super().get_fields(), "from": serializers.DateField(), "to": serializers.DateField()}


class StatisticsOut(BetweenDaysOut):
    account = serializers.CharField()
    unit = serializers.CharField()
    time_zone = serializers.CharField()
    feature = serializers.CharField(allow_null=True)
    period = serializers.ChoiceField(QuotaPeriod.choices)
    data = StatisticsLineOut(many=True)  # type: ignore[assignment]  # a field, not the data
    total = FiguresOut()


class FeatureUsageOut(FiguresOut):
    feature = serializers.CharField()


class UsageOut(BetweenDaysOut):
    account = serializers.CharField()
    unit = serializers.CharField()
    features = FeatureUsageOut(many=True)
