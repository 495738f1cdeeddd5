"""The button that changes what an account is known by, and its limits."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect

from credits.admin import show
from credits.admin.confirmation import digest
from credits.admin.forms import EditForm
from credits.admin.previews import Change
from credits.admin.verbs import Verb
from credits.amounts import say
from credits.plan import Sheet
from credits.services import accounts
from credits.services.caps import Weight
from credits.services.locks import lock_account
from credits.services.once import Once

EDITED = ("name", "email", "overdraft_limit", "low_balance_threshold", "time_zone")


class Edit(Verb):
    """What the account is known by is changed at once; its limits after a preview, with why and a ticket."""

    path, title, permission = "edit", "Edit the account", "change_account"
    does = "What the account is known by, and its limits. Its external id and unit never change."
    form_class = EditForm
    previews = False

    def form(self, data: Any = None) -> forms.Form:
        initial = {name: _plain(getattr(self.account, name)) for name in EDITED}
        return EditForm(data, initial={**initial, "seen": self.figures(None, {})})

    def go_on(self, form: forms.Form) -> HttpResponse:
        data = form.cleaned_data
        if self.changed(data).keys() & set(EditForm.LIMITS):
            confirms = "confirmation" in self.request.POST
            return super().go_on(form) if confirms or not self.stale(data) else self.anew()
        with transaction.atomic():
            self.hold(None, data)
            if self.stale(data):
                return self.anew()
            if self.changed(data):
                self.changes = self.told(data)
                self.record(self.act(None, data), data)
                messages.success(self.request, show.in_zone(self.said(None, data)))
        return HttpResponseRedirect(self.home)

    def stale(self, data: dict[str, Any]) -> bool:
        """Whether the account has changed since its form was shown: what it says would be changed back unseen."""
        return bool(data["seen"]) and data["seen"] != self.figures(None, {})

    def anew(self) -> HttpResponse:
        """Show the form as the account is now."""
        messages.warning(
            self.request, "Somebody changed the account meanwhile. This is how it is now: nothing was saved."
        )
        return self.ask(self.filled())

    def changed(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return what is to be different. The service takes None for "as it is"."""
        return {
            name: data[name] for name in EDITED if data[name] is not None and data[name] != getattr(self.account, name)
        }

    def hold(self, once: Once | None, data: dict[str, Any]) -> Sheet:
        sheet = self.fit(lock_account(self.account.pk, once=once, at=None))
        self.account.refresh_from_db()
        return sheet

    def figures(self, state: Any, data: dict[str, Any]) -> str:
        return digest([str(getattr(self.account, name)) for name in EDITED])

    def foresee(self, state: Any, data: dict[str, Any]) -> list[Change]:
        accounts.check_overdraft(state, self.changed(data).get("overdraft_limit"))
        return [
            Change(self.label(name), self.printed(getattr(self.account, name)), self.printed(value))
            for name, value in self.changed(data).items()
        ]

    def weight(self, data: dict[str, Any]) -> Weight | None:
        """Weigh how much further the account may be overdrawn: that much may be spent for nothing."""
        more = self.changed(data).get("overdraft_limit", self.account.overdraft_limit) - self.account.overdraft_limit
        return Weight(self.path, self.unit, more) if more > 0 else None

    def printed(self, value: Any) -> str:
        """Return a value for people."""
        return f"{show.amount(value, self.unit)} {self.unit}" if isinstance(value, Decimal) else value or show.EMPTY

    def label(self, name: str) -> str:
        """Return what the form calls a field."""
        return str(EditForm.base_fields[name].label or name.replace("_", " ").capitalize())

    def act(self, once: Once | None, data: dict[str, Any]) -> Any:
        particulars = accounts.Particulars(**self.changed(data))
        return accounts.change_account(once=once, account=self.account.pk, particulars=particulars)

    def said(self, done: Any, data: dict[str, Any]) -> str:
        return f"Changed {', '.join(change.label.lower() for change in self.changes)}."


def _plain(value: Any) -> Any:
    """Return an amount without the zeros its column adds."""
    return Decimal(say(value)) if isinstance(value, Decimal) else value
