"""The buttons of an account that ask the payment provider."""

from __future__ import annotations

from typing import Any

from django import forms

from billing.admin.account_section import customer_row
from billing.models import Payment
from billing.refusals import NotOurs, ParentUnknown
from billing.services.resync import resync_account, undecided_pages
from credits.admin import desk, show
from credits.admin.confirmation import Confirmation, digest
from credits.admin.previews import Change
from credits.admin.verbs import Verb
from credits.models import AccountStatus
from credits.refusals import InvalidField
from credits.services.once import keep


class Resync(Verb):
    path, title, permission = "resync", "Re-sync from Stripe", "billing.resync_customer"
    does = "Asks Stripe about this customer, its subscriptions and payments, and applies what it says."
    form_class = forms.Form
    asks = False
    statuses = set(AccountStatus)

    def figures(self, state: Any, data: dict[str, Any]) -> str:
        return digest(["resync"])

    def foresee(self, state: Any, data: dict[str, Any]) -> list[Change]:
        customer = customer_row(self.account)
        payments, told = Payment.objects.filter(account=self.account.pk).count(), "as Stripe says"
        return [
            Change("Customer", customer.provider_id if customer else show.EMPTY, told),
            Change("Payments", f"{payments:,}", told),
            Change("Pages to pay on, without an end", f"{undecided_pages(self.account.pk).count():,}", told),
        ]

    def confirmed(self, given: Confirmation, data: dict[str, Any]) -> Any:
        """Ask outside of transactions, and apply what is told; once for a confirmation."""
        once = given.once()
        once.check(once.find())
        self.changes = self.told(data)
        try:
            asked: str = resync_account(self.account.pk)
        except (NotOurs, ParentUnknown) as error:
            raise InvalidField("stripe", str(error)) from error
        return keep(once=once, act=lambda: self._logged(asked, data))

    def _logged(self, applied: str, data: dict[str, Any]) -> str:
        self.record(applied, data)
        return applied

    def because(self, data: dict[str, Any]) -> str:
        return ""

    def said(self, done: Any, data: dict[str, Any]) -> str:
        return f"Asked Stripe anew: {done}."


desk.register(desk.Button(Resync, "sync", "More"))
