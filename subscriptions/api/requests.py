"""The bodies of requests about subscriptions."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from credits.api.fields import OwnerIdField, RequestSerializer, TextField

# The verbs that can be previewed.
PREVIEWED = ["upgrade", "downgrade", "cancel"]


class PlanCodeField(TextField):
    """A plan's code."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=50, **kwargs)


class ReasonMixin(RequestSerializer):
    reason = TextField(max_length=255, required=False, allow_blank=True, help_text="Why, for the history.")


class SubscribeRequest(ReasonMixin):
    account = OwnerIdField(help_text="The owner's external_id; its account in the plan's unit is meant.")
    plan = PlanCodeField(help_text="The plan's code; its newest version is meant.")
    trial = serializers.BooleanField(default=False, help_text="Begin with the plan's trial.")
    by_hand = serializers.BooleanField(default=False, help_text="At once: somebody else sees to the payment.")


class UpgradeRequest(ReasonMixin):
    plan = PlanCodeField(help_text="A plan of a higher rank.")


class DowngradeRequest(ReasonMixin):
    # Left out, the change waits: a misspelt name must not be taken for that.
    only_known = True

    plan = PlanCodeField(help_text="A plan of a lower rank; the default plan is to cancel.")
    at_period_end = serializers.BooleanField(default=True, help_text="With the next period, or at once.")


class CancelRequest(ReasonMixin):
    only_known = True

    at_period_end = serializers.BooleanField(default=True, help_text="With the period, or at once.")


class PreviewRequest(RequestSerializer):
    only_known = True

    verb = serializers.ChoiceField(PREVIEWED)
    plan = PlanCodeField(required=False, help_text="Not for a cancellation.")
    at_period_end = serializers.BooleanField(default=True, help_text="Not for an upgrade: that is at once.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Require a plan where there is one to go to."""
        if attrs["verb"] != "cancel" and not attrs.get("plan"):
            raise serializers.ValidationError({"plan": ["Say which plan."]})
        return attrs
