"""The bodies that requests may have."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django.conf import settings
from rest_framework import serializers

from credits.api.fields import (
    AmountField,
    DifferenceField,
    MetadataField,
    MomentField,
    OwnerIdField,
    RequestSerializer,
    TextField,
    ZeroOrMoreField,
)
from credits.models import GrantCategory
from credits.models.memo import Reason
from credits.plan.allotments import REFERENCE
from credits.services.usage import RATING

OWN_REFERENCES = {REFERENCE, RATING}


class UnitMixin(RequestSerializer):
    unit = TextField(max_length=20, required=False, help_text="What the account counts; by default the service's unit.")


class MemoMixin(RequestSerializer):
    description = TextField(max_length=500, required=False, allow_blank=True, help_text="In words, for people.")
    feature = TextField(max_length=100, required=False, allow_blank=True, help_text="What was used.")
    reference_type = TextField(
        max_length=64, required=False, allow_blank=True, help_text="What kind of thing caused it: order, payment."
    )
    reference_id = TextField(
        max_length=255,
        required=False,
        allow_blank=True,
        help_text="Which one. On one account it causes one movement of this kind, for ever.",
    )
    metadata = MetadataField(help_text="Your own notes: a JSON object.")

    def validate_reference_type(self, value: str) -> str:
        """Refuse the references that the ledger's own movements have: one of them is still to be made."""
        if value in OWN_REFERENCES:
            raise serializers.ValidationError(f"{value} is the ledger's own: call it something else.")
        return value


class OpenAccountRequest(UnitMixin):
    external_id = OwnerIdField(required=False, help_text="Your own id for the owner.")
    user_id = OwnerIdField(required=False, help_text="Dialect A's name for external_id; its unit is USD.")
    initial_balance = ZeroOrMoreField(required=False, help_text="Credits to begin with.")
    name = TextField(max_length=255, required=False, allow_blank=True)
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)
    overdraft_limit = ZeroOrMoreField(required=False, help_text="How far below zero it may be spent.")
    low_balance_threshold = ZeroOrMoreField(required=False, help_text="Warn when the balance falls to this.")
    time_zone = TextField(max_length=64, required=False, help_text="IANA name; the owner's days begin at its midnight.")
    week_starts_on = serializers.IntegerField(
        min_value=1, max_value=7, required=False, help_text="The first day of the owner's weeks; 1 is Monday."
    )
    metadata = MetadataField()

    def validate_time_zone(self, value: str) -> str:
        """Refuse a zone the database of zones does not know."""
        if value not in available_timezones() - {"localtime", "Factory", "posixrules"}:
            raise serializers.ValidationError("There is no such time zone.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Require one of the two names of the owner's id."""
        if ("external_id" in attrs) == ("user_id" in attrs):
            raise serializers.ValidationError({"external_id": ["Send external_id (or user_id, not both)."]})
        return attrs


class ChangeAccountRequest(RequestSerializer):
    name = TextField(max_length=255, required=False, allow_blank=True)
    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)
    overdraft_limit = ZeroOrMoreField(required=False)
    low_balance_threshold = ZeroOrMoreField(required=False, allow_null=True, help_text="Null warns no more.")
    time_zone = TextField(max_length=64, required=False)
    week_starts_on = serializers.IntegerField(min_value=1, max_value=7, required=False)
    metadata = MetadataField()

    validate_time_zone = OpenAccountRequest.validate_time_zone


class FreezeRequest(RequestSerializer):
    reason = TextField(max_length=255, required=False, allow_blank=True, help_text="Why, for support.")


class CloseRequest(RequestSerializer):
    forfeit = serializers.BooleanField(default=False, help_text="Give up what is left.")
    description = TextField(max_length=500, required=False, allow_blank=True)


class DebitRequest(MemoMixin):
    amount = AmountField(help_text="How much to charge.")


class TermsMixin(RequestSerializer):
    category = serializers.ChoiceField(GrantCategory.choices, default=GrantCategory.PAID.value)
    priority = serializers.IntegerField(
        min_value=0, max_value=1000, default=50, help_text="Lots with a lower number are drawn first."
    )
    expires_at = MomentField(required=False, allow_null=True, help_text="When the lot expires.")
    transferable = serializers.BooleanField(default=True)
    paid_currency = serializers.RegexField(
        r"^[A-Z]{3}$", required=False, help_text="ISO 4217 code of what was paid for it."
    )
    paid_minor = serializers.IntegerField(
        min_value=0, max_value=10**15, required=False, help_text="What was paid, in minor units (cents)."
    )


class TopupRequest(MemoMixin, TermsMixin):
    amount = AmountField(help_text="How much to add.")


class AdjustmentRequest(MemoMixin):
    amount = DifferenceField(help_text="The difference: negative takes away.")
    reason = serializers.ChoiceField(Reason.choices, help_text="Why.")
    ticket = TextField(max_length=100, required=False, allow_blank=True, help_text="The support ticket.")
    allow_debt = serializers.BooleanField(
        default=False, help_text="Let what cannot be taken be owed; new credits repay it first."
    )


class HoldRequest(MemoMixin):
    amount = AmountField(help_text="How much to set aside.")
    ttl_seconds = serializers.IntegerField(
        min_value=1, max_value=settings.HOLD_SECONDS_MAX, required=False, help_text="How long it lasts."
    )
    abandonment_charge = ZeroOrMoreField(
        required=False, help_text="What is charged of it when it times out; the rest is freed."
    )


class CaptureRequest(MemoMixin):
    only_known = True
    amount = AmountField(required=False, help_text="How much to charge; by default all that is left.")
    final = serializers.BooleanField(default=False, help_text="Free the rest.")


class ExtendRequest(RequestSerializer):
    ttl_seconds = serializers.IntegerField(
        min_value=1, max_value=settings.HOLD_SECONDS_MAX, help_text="How long it lasts from now."
    )


class NothingRequest(RequestSerializer):
    """A body that says nothing."""


class RefundRequest(MemoMixin):
    only_known = True
    amount = AmountField(required=False, help_text="How much to give back; by default all that is left of the spend.")


class ReverseRequest(MemoMixin):
    allow_debt = serializers.BooleanField(
        default=False, help_text="Let what was spent already be owed; new credits repay it first."
    )


class TransferRequest(UnitMixin, MemoMixin):
    source = OwnerIdField(help_text="The account that gives.")  # type: ignore[assignment]  # a field, not an option
    target = OwnerIdField(help_text="The account that gains, in the same unit.")
    amount = AmountField()


class OnAccount(UnitMixin):
    account = OwnerIdField(help_text="Whose account.")


class DebitItem(OnAccount, DebitRequest):
    pass


class TopupItem(OnAccount, TopupRequest):
    pass


class AdjustmentItem(OnAccount, AdjustmentRequest):
    pass


class TransferItem(OnAccount, MemoMixin):
    target = OwnerIdField(help_text="Who gains, in the same unit.")
    amount = AmountField()


class HoldItem(OnAccount, HoldRequest):
    pass


class CaptureItem(CaptureRequest):
    type = serializers.CharField(required=False)
    hold_id = serializers.UUIDField(help_text="Which hold.")


class ReleaseItem(RequestSerializer):
    hold_id = serializers.UUIDField(help_text="Which hold.")


class RefundItem(RefundRequest):
    type = serializers.CharField(required=False)
    transaction_id = serializers.UUIDField(help_text="Which spend.")
