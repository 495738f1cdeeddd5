"""The bodies of batches: what each kind of item may say."""

from __future__ import annotations

from django.conf import settings
from rest_framework import serializers

from credits.api.fields import DifferenceField, OwnerIdField, RequestSerializer, TextField, ZeroOrMoreField
from credits.api.requests import (
    AdjustmentItem,
    CaptureItem,
    DebitItem,
    HoldItem,
    MemoMixin,
    RefundItem,
    ReleaseItem,
    TermsMixin,
    TopupItem,
    TransferItem,
    UnitMixin,
)
from credits.api.use_requests import CaptureUseMixin, TokensMixin, UsageRequest
from credits.models.memo import Reason


class CaptureUsageItem(CaptureUseMixin, CaptureItem):
    pass


class UsageItem(UsageRequest):
    type = serializers.CharField(required=False)


# What an item of a batch may say, by its type: what the same request alone may say, and whom or what it is about.
ITEMS: dict[str, RequestSerializer] = {
    "debit": DebitItem(),
    "usage": UsageItem(),
    "topup": TopupItem(),
    "adjustment": AdjustmentItem(),
    "transfer": TransferItem(),
    "hold": HoldItem(),
    "capture": CaptureUsageItem(),
    "release": ReleaseItem(),
    "refund": RefundItem(),
}


class BatchItemRequest(UnitMixin, TokensMixin, MemoMixin, TermsMixin):
    """All that items may say, for the schema. Each type takes what the same request alone takes."""

    type = serializers.ChoiceField(list(ITEMS), help_text="What to do.")
    account = OwnerIdField(required=False, help_text="Whose account (debit, usage, topup, adjustment, transfer, hold).")
    model = TextField(max_length=100, required=False, allow_blank=True, help_text="Which AI model (usage).")
    trace_id = TextField(max_length=255, required=False, allow_blank=True, help_text="Charges once (usage).")
    target = OwnerIdField(required=False, help_text="Who gains (transfer).")
    hold_id = serializers.UUIDField(required=False, help_text="Which hold (capture, release).")
    transaction_id = serializers.UUIDField(required=False, help_text="Which spend (refund).")
    amount = DifferenceField(required=False, help_text="Positive, but for an adjustment.")
    reason = serializers.ChoiceField(Reason.choices, required=False, help_text="Why (adjustment).")
    ticket = TextField(max_length=100, required=False, allow_blank=True, help_text="The support ticket (adjustment).")
    ttl_seconds = serializers.IntegerField(min_value=1, max_value=settings.HOLD_SECONDS_MAX, required=False)
    abandonment_charge = ZeroOrMoreField(required=False)
    final = serializers.BooleanField(default=False)
    allow_debt = serializers.BooleanField(default=False)


class UsageBatchRequest(RequestSerializer):
    items = UsageRequest(many=True, help_text="Up to 10,000, done in their order.")
    atomic = serializers.BooleanField(default=False, help_text="All or nothing.")


class BatchRequest(RequestSerializer):
    items = BatchItemRequest(many=True, help_text="Up to 10,000, done in their order.")
    atomic = serializers.BooleanField(default=False, help_text="All or nothing.")
