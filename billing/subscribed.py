"""What the bus tells: for each subject what a message may say, and what that means for the books.

Every movement has a natural reference, so that a message that comes again, or in another one, changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.conf import settings
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from billing.services.letters import Malformed, NotReady, in_words
from credits import refusals
from credits.amounts import read_object
from credits.api.fields import AmountField, DifferenceField, OwnerIdField, RequestSerializer, TextField
from credits.models import GrantCategory, Transaction, TransactionKind
from credits.models.memo import Reason
from credits.plan import Actor, LotTerms, Memo, Owner
from credits.services import accounts, clawback, movements

MERCHANT_CREATED = "evt.merchant.created"
ORDER_PAID = "evt.shopify.webhook.order_paid"
ORDER_REFUNDED = "evt.shopify.webhook.order_refunded"
PAYMENT_SUCCEEDED = "evt.billing.payment_succeeded"
MANUAL_ADJUSTMENT = "evt.credits.manual_adjustment"

MERCHANT, ORDER, ORDER_REFUND, PAYMENT, ADJUSTMENT = "merchant", "order", "order_refund", "payment", "adjustment"


class IdField(TextField):
    """A publisher's id: text, or a number as Shopify sends them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=255, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return the id as text."""
        return super().to_internal_value(_as_text(data))


class MerchantIdField(OwnerIdField):
    """An account's id, also as a number."""

    def to_internal_value(self, data: Any) -> str:
        """Return the id as text."""
        return super().to_internal_value(_as_text(data))


def _as_text(data: Any) -> Any:
    return str(data) if isinstance(data, int) and not isinstance(data, bool) else data


class Merchant(RequestSerializer):
    merchant_id = MerchantIdField()


class Order(Merchant):
    order_id = IdField()


class Payment(Merchant):
    payment_id = IdField()
    credits = AmountField(required=False)
    amount = AmountField(required=False)
    currency = serializers.RegexField(r"^[A-Z]{3}$", required=False)
    paid_minor = serializers.IntegerField(min_value=0, max_value=10**15, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Require how many credits it paid for: ``credits``, or ``amount`` where they are not told apart."""
        if "credits" not in attrs and "amount" not in attrs:
            raise serializers.ValidationError({"credits": ["This field is required."]})
        return attrs


class Adjustment(Merchant):
    amount = DifferenceField()
    admin_id = IdField()
    reason = TextField(max_length=400)
    ticket = IdField(required=False, allow_blank=True)
    adjustment_id = IdField(required=False)


def open_merchant(asked: dict[str, Any], message_id: str) -> None:
    """Open the merchant's account with its trial credits."""
    owner = _owner(asked)
    if settings.TRIAL_CREDITS:
        memo = _memo("merchant", "Trial credits", MERCHANT, owner.external_id)
        _once_for(lambda: _add(owner, settings.TRIAL_CREDITS, memo, TransactionKind.TRIAL, GrantCategory.TRIAL))
    else:
        accounts.insert_account(owner, accounts.NOTHING, None)


def add_for_order(asked: dict[str, Any], message_id: str) -> None:
    """Add what an order brings."""
    memo = _memo("shopify", f"Order {asked['order_id']}", ORDER, asked["order_id"])
    amount = settings.ORDER_CREDIT_FIXED_AMOUNT
    _once_for(lambda: _add(_owner(asked), amount, memo, TransactionKind.ORDER, GrantCategory.PROMOTIONAL))


def take_back_for_order(asked: dict[str, Any], message_id: str) -> None:
    """Give back what a refunded order had brought: it is taken from its lot, and what was spent of it is owed."""
    owner, order = _owner(asked), asked["order_id"]
    brought = Transaction.objects.filter(
        account=owner.account, reference_type=ORDER, reference_id=order, kind=TransactionKind.ORDER
    ).first()
    if brought is None:
        raise NotReady(f"Order {order} has not brought anything yet.")
    memo = _memo("shopify", f"Order {order} was refunded", ORDER_REFUND, order)
    clawback.take_back(bought=brought.pk, total=brought.amount, memo=memo)


def add_for_payment(asked: dict[str, Any], message_id: str) -> None:
    """Add the credits that were paid for."""
    payment = asked["payment_id"]
    memo = _memo("billing", f"Payment {payment}", PAYMENT, payment)
    terms = LotTerms(paid_currency=asked.get("currency", ""), paid_minor=asked.get("paid_minor", 0))
    movements.add_credits(
        account=_owner(asked).account,
        amount=asked.get("credits", asked.get("amount")),
        memo=memo,
        terms=terms,
        owner=_owner(asked),
    )


def adjust(asked: dict[str, Any], message_id: str) -> None:
    """Adjust the balance as somebody of staff asked elsewhere.

    The same person may do so twice: it is one adjustment only under one ``adjustment_id``, or as the same message.
    """
    reason = asked["reason"] if asked["reason"] in Reason.values else Reason.OTHER.value
    memo = Memo(
        # Not as one of our own staff: whoever has that number here did not do it.
        Actor("system", f"admin:{asked['admin_id']}"[:64], "admin"),
        description=asked["reason"] if reason == Reason.OTHER else "",
        reason=reason,
        reference_type=ADJUSTMENT,
        reference_id=asked.get("adjustment_id") or message_id[:255],
        metadata={name: asked[name] for name in ("admin_id", "ticket") if asked.get(name)},
    )
    movements.adjust_balance(account=_owner(asked).account, delta=asked["amount"], memo=memo)


Handler = Callable[[dict[str, Any], str], None]
HANDLERS: dict[str, tuple[RequestSerializer, Handler]] = {
    MERCHANT_CREATED: (Merchant(), open_merchant),
    ORDER_PAID: (Order(), add_for_order),
    ORDER_REFUNDED: (Order(), take_back_for_order),
    PAYMENT_SUCCEEDED: (Payment(), add_for_payment),
    MANUAL_ADJUSTMENT: (Adjustment(), adjust),
}


def apply(subject: str, message_id: str, body: bytes) -> None:
    """Apply a message. Raises Malformed, NotReady, and the Refusal that its movement met."""
    shape, act = HANDLERS[subject]
    try:
        asked = shape.read(read_body(body))
    except ValidationError as error:
        raise Malformed(in_words(error.detail)) from None
    act(asked, message_id)


def read_body(body: bytes) -> dict[str, Any]:
    """Return what a message says: its body, or the ``data`` in it. Raises Malformed."""
    try:
        said = read_object(body)
    except ValueError as error:
        raise Malformed(str(error)) from None
    inner = said.get("data")
    return inner if isinstance(inner, dict) else said


def _add(owner: Owner, amount: int, memo: Memo, kind: TransactionKind, category: GrantCategory) -> None:
    terms = LotTerms(category=category)
    movements.add_credits(account=owner.account, amount=Decimal(amount), memo=memo, terms=terms, kind=kind, owner=owner)


def _once_for(add: Callable[[], None]) -> None:
    """Add once for ever: what the setting said when its reference came first is what it brought."""
    try:
        add()
    except refusals.ReferenceConflict:
        return


def _owner(asked: dict[str, Any]) -> Owner:
    return Owner(asked["merchant_id"], settings.DEFAULT_UNIT)


def _memo(through: str, description: str, reference_type: str, reference_id: str) -> Memo:
    """Return who acts where another service told us to, and why."""
    return Memo(
        Actor("system", name=through),
        description=description[:500],
        reference_type=reference_type,
        reference_id=reference_id,
    )
