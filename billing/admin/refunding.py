"""The button that gives a payment back, with a preview of what that claws back."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import Http404, HttpRequest
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextInputWidget

from billing.models import Payment
from billing.services.claims import to_be_gone
from billing.services.refunds import left_to_refund, refund_payment
from credits.admin import show
from credits.admin.acts import Act
from credits.admin.confirmation import Confirmation, digest
from credits.admin.logged import request_id
from credits.admin.previews import Change
from credits.amounts import places_of, say_money
from credits.refusals import InvalidField
from credits.services.locks import read_account
from credits.services.staff import Told, record_act


class RefundForm(forms.Form):
    amount = forms.DecimalField(
        required=False,
        decimal_places=3,
        max_digits=15,
        widget=UnfoldAdminDecimalFieldWidget(),
        help_text="In the payment's currency. Empty: all that is left.",
    )
    reason = forms.CharField(max_length=255, widget=UnfoldAdminTextInputWidget(), help_text="Why, with the ticket.")


class RefundPayment(Act):
    path, title, permission = "refund", "Refund the payment", "billing.refund_payment"
    does = "Gives money back through Stripe. The credits it brought are clawed back in proportion; spent ones are owed."
    form_class = RefundForm

    def __init__(self, admin: Any, request: HttpRequest, object_id: str) -> None:
        super().__init__(admin, request)
        row = admin.get_object(request, object_id)
        if row is None:
            raise Http404("There is no such payment.")
        self.row: Payment = row

    @classmethod
    def allowed(cls, request: HttpRequest) -> bool:
        return request.user.has_perm(cls.permission)

    @property
    def subject(self) -> Payment:
        """The payment."""
        return self.row

    @property
    def home(self) -> str:
        """The page of the payment."""
        return show.page_of(Payment, self.row.pk)

    def look(self, data: dict[str, Any]) -> Any:
        """Return the payment and its account as they are. Raises NotRefundable."""
        left_to_refund(self.row)
        return read_account(self.row.account_id)

    def figures(self, state: Any, data: dict[str, Any]) -> str:
        """Return a digest of what has gone back of the payment."""
        return digest([self.row.refunded_minor, self.row.amount_minor])

    def foresee(self, state: Any, data: dict[str, Any]) -> list[Change]:
        """Return what goes back, and what of the credits with it."""
        minor, unit = self.minor(data), state.owner.unit
        after = self.row.refunded_minor + minor
        claimed = to_be_gone(self.row, after)
        more = claimed - self.row.claimed
        before, then, now = (say_money(each, self.row.currency) for each in (self.row.refunded_minor, after, minor))
        return [
            Change("Given back", before, then, now),
            Change(
                "Credits taken back",
                show.amount(self.row.claimed, unit),
                show.amount(claimed, unit),
                show.amount(more, unit),
            ),
        ]

    def confirmed(self, given: Confirmation, data: dict[str, Any]) -> Any:
        """Ask the provider, outside of transactions, once for a confirmation."""
        self.row.refresh_from_db()
        if self.figures(None, data) != given.seen:
            return None
        self.changes = self.told(data)
        order = refund_payment(
            once=given.once(),
            payment=self.row.provider_id,
            amount_minor=self.minor(data),
            reason=data["reason"],
            actor=self.actor,
        )
        self.record(order, data)
        return order

    def minor(self, data: dict[str, Any]) -> int:
        """Return how much is asked for, in minor units. Raises InvalidField for more than is left."""
        left, currency = left_to_refund(self.row), self.row.currency
        if data.get("amount") is None:
            return left
        asked = data["amount"].scaleb(places_of(currency))
        if asked % 1 or not 0 < asked <= left:
            least, most = say_money(1, currency), say_money(left, currency)
            raise InvalidField("amount", f"Between {least} and {most} can be given back.")
        return int(asked)

    def record(self, done: Any, data: dict[str, Any]) -> None:
        """Keep who gave it back and why, with what was before and after."""
        told = Told(
            account=self.row.account_id,
            subject=f"Payment {self.row.provider_id}",
            note=data["reason"],
            before={change.label: change.before for change in self.changes},
            after={change.label: change.after for change in self.changes},
            request_id=request_id(self.request),
        )
        record_act(actor=self.actor, action="refund-payment", what=self.said(done, data), told=told)

    def said(self, done: Any, data: dict[str, Any]) -> str:
        return f"Refunded {say_money(done.amount_minor, self.row.currency)}."
