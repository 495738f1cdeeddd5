"""The button that gives a payment back, with a preview of what that claws back."""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from unfold.widgets import UnfoldAdminTextInputWidget

from billing.models import Payment, RefundOrder, RefundStatus
from billing.queries import taken_back
from billing.refusals import StripeFailure
from billing.services.claims import to_be_gone
from billing.services.refunds import finish, left_to_refund, lock_payment, not_given_back, order_refund
from credits.admin import desk, show
from credits.admin.acts import Act, Motive
from credits.admin.confirmation import digest
from credits.admin.forms import TICKET, AmountField
from credits.admin.logged import request_id
from credits.admin.previews import Change
from credits.amounts import places_of, say_money
from credits.models import AccountStatus, CappedAction
from credits.refusals import InvalidField
from credits.services.caps import Weight
from credits.services.once import Once
from credits.services.staff import Told, record_act

log = logging.getLogger(__name__)

ACTION = CappedAction.REFUND_PAYMENT.value


class RefundForm(forms.Form):
    amount = AmountField(required=False, help_text="Empty: all that is left.")
    reason = forms.CharField(max_length=180, widget=UnfoldAdminTextInputWidget(), help_text="Why, in words.")
    ticket = forms.CharField(max_length=64, required=False, help_text=TICKET, widget=UnfoldAdminTextInputWidget)


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

    @property
    def subject(self) -> Payment:
        """The payment."""
        return self.row

    @property
    def heading(self) -> str:
        """What the page is called."""
        return f"{self.title} of {self.row.account.external_id}"

    @property
    def about(self) -> str:
        """How much was paid, and how much of it is left."""
        paid, left = (say_money(each, self.row.currency) for each in (self.row.amount_minor, not_given_back(self.row)))
        return f"{paid} were paid, of which {left} are left."

    @property
    def home(self) -> str:
        """The page of the payment."""
        return show.page_of(Payment, self.row.pk)

    @property
    def owner(self) -> UUID:
        """The account that paid."""
        return self.row.account_id

    @property
    def places(self) -> int:
        """Those of the payment's currency."""
        return places_of(self.row.currency)

    def form(self, data: Any = None) -> forms.Form:
        """Return the form, which names the payment's currency."""
        form = super().form(data)
        form.fields["amount"].label = f"Amount in {self.row.currency.upper()}"
        return form

    def page(self, step: str, **context: Any) -> HttpResponse:
        """Render a step, under the account that it is about."""
        return super().page(step, account=self.row.account, **context)

    def read(self, field: Any, data: dict[str, Any]) -> str:
        """Return what was filled into a field: an amount as money."""
        return say_money(self.minor(data), self.row.currency) if field.name == "amount" else super().read(field, data)

    def kept(self, form: forms.Form) -> dict[str, Any]:
        """Return what was filled in, and for which payment."""
        return {**super().kept(form), "payment": str(self.row.pk)}

    def motive(self, data: dict[str, Any]) -> Motive:
        """Return why, in words, and the ticket."""
        return {"note": data["reason"], "ticket": data["ticket"]}

    def weight(self, data: dict[str, Any]) -> Weight | None:
        """Weigh the money, in its currency: as much as is named, or all that is left."""
        amount, currency = data.get("amount"), self.row.currency
        if amount is None:
            amount = Decimal(not_given_back(self.row)).scaleb(-places_of(currency))
        return Weight(ACTION, currency.upper(), amount)

    def look(self, data: dict[str, Any]) -> int:
        """Return how much is left of the payment. Raises NotRefundable."""
        return left_to_refund(self.row)

    def hold(self, once: Once, data: dict[str, Any]) -> int:
        """Return how much is left of the payment, locked."""
        self.row = lock_payment(once=once, payment=self.row.pk)
        return self.look(data)

    def figures(self, state: Any, data: dict[str, Any]) -> str:
        """Return a digest of what has gone back of the payment, and of what it brought."""
        row = self.row
        return digest([row.amount_minor, row.refunded_minor, state, row.claimed, to_be_gone(row, row.amount_minor)])

    def foresee(self, state: Any, data: dict[str, Any]) -> list[Change]:
        """Return what goes back, and what of the credits with it."""
        minor, unit = self.minor(data), self.row.account.unit_id
        after = self.row.refunded_minor + minor
        gone = taken_back(self.row)
        # Of a closed account nothing can be taken back any more: the money is lost.
        closed = self.row.account.status == AccountStatus.CLOSED
        claimed = gone if closed else to_be_gone(self.row, after)
        before, then, now = (say_money(each, self.row.currency) for each in (self.row.refunded_minor, after, minor))
        return [
            Change("Given back", before, then, f"+{now}"),
            Change(
                "Credits taken back: the account is closed" if closed else "Credits taken back",
                f"{show.amount(gone, unit)} {unit}",
                f"{show.amount(claimed, unit)} {unit}",
                f"{show.amount(claimed - gone, unit, signed=True)} {unit}",
            ),
        ]

    def act(self, once: Once, data: dict[str, Any]) -> RefundOrder:
        """Write the order down; the provider hears of it when that is committed."""
        ticket = f" ({data['ticket']})" if data["ticket"] else ""
        return order_refund(
            once=once,
            payment=self.row.provider_id,
            amount_minor=self.minor(data),
            reason=f"{data['reason']}{ticket}",
            actor=self.actor,
        )

    def finish(self, done: RefundOrder) -> RefundOrder:
        """Ask the provider, outside of transactions. Where it is away the order stands, and a job finishes it."""
        try:
            finish(done)
        except StripeFailure as failure:
            log.warning("Refund %s is not done yet: %s", done.pk, failure.detail)
        return RefundOrder.objects.get(pk=done.pk)

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

    def record(self, done: RefundOrder, data: dict[str, Any]) -> None:
        """Keep who asked for it and why, with what was before and after."""
        money = say_money(done.amount_minor, self.row.currency)
        told = Told(
            account=self.row.account_id,
            subject=f"Payment {self.row.provider_id}",
            before={change.label: change.before for change in self.changes},
            after={change.label: change.after for change in self.changes},
            unit=self.row.currency.upper(),
            amount=Decimal(done.amount_minor).scaleb(-places_of(self.row.currency)),
            approved_by=self.approver.name if self.approver else "",
            request_id=request_id(self.request),
            **self.motive(data),
        )
        # What Stripe makes of it is told by the order: it may refuse it yet.
        what = f"Ordered that {money} be given back through Stripe."
        record_act(actor=self.actor, action=ACTION, what=what, told=told)

    def said(self, done: RefundOrder, data: dict[str, Any]) -> str:
        money = say_money(done.amount_minor, self.row.currency)
        if done.status == RefundStatus.PENDING:
            return f"The refund of {money} is ordered. Stripe has not done it yet: it is asked again by itself."
        return f"Refunded {money}."


desk.register(desk.Approvable(ACTION, RefundPayment, Payment, lambda row: str(row.asked["payment"])))
