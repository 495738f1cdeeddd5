"""What answers look like: for each noun a function that prints it, and a serializer that describes it to the schema.

Printing is plain code because a debit's answer is on the hot path; a test holds the two together.
"""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from credits.amounts import number
from credits.api.fields import MetadataField
from credits.models import Account, AccountStatus, Grant, GrantCategory, HoldStatus, TransactionKind
from credits.models.transactions import Counterparty
from credits.plan import Charge, Memo, Movement, Reservation
from credits.plan.state import Draws


def print_memo(memo: Memo) -> dict[str, Any]:
    """Return who caused something and why."""
    return {
        "feature": memo.feature,
        "description": memo.description,
        "reason": memo.reason,
        "reference_type": memo.reference_type,
        "reference_id": memo.reference_id,
        "metadata": memo.metadata,
        "actor": {"kind": memo.actor.kind, "id": memo.actor.id, "name": memo.actor.name},
        "request_id": memo.request_id,
    }


def print_charge(charge: Charge) -> dict[str, Any]:
    """Return what a charge was worked out from."""
    return {"price_id": charge.price, "quantity": number(charge.quantity), "usage": charge.usage}


def print_draws(draws: Draws) -> list[dict[str, Any]]:
    """Return what lots gained and lost."""
    return [{"grant_id": lot_id, "amount": number(part)} for lot_id, part in draws]


def print_movement(movement: Movement) -> dict[str, Any]:
    """Return a transaction."""
    return {
        "id": movement.id,
        "account": movement.owner.external_id,
        "unit": movement.owner.unit,
        "sequence": movement.sequence,
        "kind": movement.kind,
        "amount": number(movement.amount),
        "balance_before": number(movement.balance_before),
        "balance_after": number(movement.balance_after),
        "debt": number(movement.debt),
        "counterparty": movement.counterparty,
        "draws": print_draws(movement.draws),
        "parent_id": movement.parent_id,
        "hold_id": movement.hold_id,
        **print_charge(movement.charge),
        **print_memo(movement.memo),
        "recorded_at": movement.recorded_at,
        **({"warnings": movement.warnings} if movement.warnings else {}),
    }


def print_hold(held: Reservation) -> dict[str, Any]:
    """Return a hold."""
    return {
        "id": held.id,
        "account": held.owner.external_id,
        "unit": held.owner.unit,
        "status": held.status,
        "amount": number(held.amount),
        "captured": number(held.captured),
        "remaining": number(held.remaining),
        "abandonment_charge": number(held.abandonment_charge),
        "lots": print_draws(held.lots),
        "expires_at": held.expires_at,
        **print_charge(held.charge),
        **print_memo(held.memo),
        "created_at": held.created_at,
        "closed_at": held.closed_at,
    }


def print_account(account: Account) -> dict[str, Any]:
    """Return an account."""
    return {
        "external_id": account.external_id,
        "unit": account.unit_id,
        "account_id": account.pk,
        "user_id": account.external_id,
        "name": account.name,
        "email": account.email,
        "status": account.status,
        "status_reason": account.status_reason,
        "balance": number(account.balance),
        "held": number(account.held),
        "available": number(account.available),
        "overdraft_limit": number(account.overdraft_limit),
        "debt": number(account.debt),
        "low_balance_threshold": (
            None if account.low_balance_threshold is None else number(account.low_balance_threshold)
        ),
        "time_zone": account.time_zone,
        "week_starts_on": account.week_starts_on,
        "metadata": account.metadata,
        "created_at": account.created_at,
    }


def print_grant(grant: Grant) -> dict[str, Any]:
    """Return a lot."""
    return {
        "id": grant.pk,
        "amount": number(grant.amount),
        "remaining": number(grant.remaining),
        "held": number(grant.held),
        "category": grant.category,
        "priority": grant.priority,
        "expires_at": grant.expires_at,
        "transferable": grant.transferable,
        "paid_currency": grant.paid_currency,
        "paid_minor": grant.paid_minor,
        "source": grant.source,
        "origin_id": grant.origin_id,
        "created_at": grant.created_at,
    }


class AmountOut(serializers.FloatField):
    """An amount in an answer: an exact JSON number, an int where it is whole."""


class ActorOut(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(["key", "staff", "system"])
    id = serializers.CharField()
    name = serializers.CharField()


class MemoOut(serializers.Serializer[Any]):
    feature = serializers.CharField()
    description = serializers.CharField()
    reason = serializers.CharField()
    reference_type = serializers.CharField()
    reference_id = serializers.CharField()
    metadata = MetadataField(required=True)
    actor = ActorOut()
    request_id = serializers.CharField()


class ChargeOut(serializers.Serializer[Any]):
    price_id = serializers.IntegerField(allow_null=True, help_text="The version of the price it was worked out with.")
    quantity = AmountOut(help_text="How many uses.")
    usage = serializers.DictField(help_text="What was priced: quantity, model, tokens.")


class DrawOut(serializers.Serializer[Any]):
    grant_id = serializers.UUIDField()
    amount = AmountOut()


class TransactionOut(ChargeOut, MemoOut):
    id = serializers.UUIDField()
    account = serializers.CharField()
    unit = serializers.CharField()
    sequence = serializers.IntegerField()
    kind = serializers.ChoiceField(TransactionKind.choices)
    amount = AmountOut()
    balance_before = AmountOut()
    balance_after = AmountOut()
    debt = AmountOut()
    counterparty = serializers.ChoiceField(Counterparty.choices)
    draws = DrawOut(many=True)
    parent_id = serializers.UUIDField(allow_null=True)
    hold_id = serializers.UUIDField(allow_null=True)
    recorded_at = serializers.DateTimeField()
    warnings = serializers.ListField(
        child=serializers.DictField(), required=False, help_text="Soft quotas that it went past."
    )


class HoldOut(ChargeOut, MemoOut):
    id = serializers.UUIDField()
    account = serializers.CharField()
    unit = serializers.CharField()
    status = serializers.ChoiceField(HoldStatus.choices)
    amount = AmountOut()
    captured = AmountOut()
    remaining = AmountOut()
    abandonment_charge = AmountOut()
    lots = DrawOut(many=True)
    expires_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)


class AccountOut(serializers.Serializer[Any]):
    external_id = serializers.CharField()
    unit = serializers.CharField()
    account_id = serializers.UUIDField()
    user_id = serializers.CharField()
    name = serializers.CharField()
    email = serializers.CharField()
    status = serializers.ChoiceField(AccountStatus.choices)
    status_reason = serializers.CharField()
    balance = AmountOut()
    held = AmountOut()
    available = AmountOut()
    overdraft_limit = AmountOut()
    debt = AmountOut()
    low_balance_threshold = AmountOut(allow_null=True)
    time_zone = serializers.CharField()
    week_starts_on = serializers.IntegerField(min_value=1, max_value=7)
    metadata = MetadataField(required=True)
    created_at = serializers.DateTimeField()


class GrantOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    amount = AmountOut()
    remaining = AmountOut()
    held = AmountOut()
    category = serializers.ChoiceField(GrantCategory.choices)
    priority = serializers.IntegerField()
    expires_at = serializers.DateTimeField(allow_null=True)
    transferable = serializers.BooleanField()
    paid_currency = serializers.CharField()
    paid_minor = serializers.IntegerField()
    source = serializers.CharField()  # type: ignore[assignment]  # a field, not an option
    origin_id = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField()


class BalanceOut(serializers.Serializer[Any]):
    account = serializers.CharField()
    unit = serializers.CharField()
    balance = AmountOut()
    held = AmountOut(required=False, help_text="Not told of the past; nor are the next three.")
    available = AmountOut(required=False)
    overdraft_limit = AmountOut(required=False)
    debt = AmountOut(required=False)
    as_of = serializers.DateTimeField()


class CaptureOut(serializers.Serializer[Any]):
    transaction = TransactionOut()
    hold = HoldOut()


class TransferOut(serializers.Serializer[Any]):
    source = TransactionOut()  # type: ignore[assignment]  # a field, not an option
    target = TransactionOut()


class StatementOut(serializers.Serializer[Any]):
    account = serializers.CharField()
    unit = serializers.CharField()
    opening_balance = AmountOut()
    closing_balance = AmountOut()
    transactions = TransactionOut(many=True)
    next = serializers.IntegerField(allow_null=True, help_text="Send as ?after= for the rest.")


class BatchResultOut(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    status = serializers.IntegerField(help_text="The status the item would have been answered alone.")
    transaction = TransactionOut(required=False)
    hold = HoldOut(required=False)
    problem = serializers.DictField(required=False, help_text="Why the item was refused.")


class BatchOut(serializers.Serializer[Any]):
    succeeded = serializers.IntegerField()
    refused = serializers.IntegerField()
    results = BatchResultOut(many=True)
