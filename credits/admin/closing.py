"""The button that ends an account."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from unfold.widgets import UnfoldBooleanWidget

from credits import plan
from credits.admin import desk
from credits.admin.confirmation import digest
from credits.admin.forms import ReasonForm
from credits.admin.previews import Change
from credits.admin.verbs import OPEN, Verb
from credits.models import Account, AccountStatus, CappedAction
from credits.plan import Sheet
from credits.services import accounts
from credits.services.caps import Weight
from credits.services.locks import read_account
from credits.services.once import Once


class CloseForm(ReasonForm):
    forfeit = forms.BooleanField(
        label="Give up what is left",
        required=False,
        help_text="Its balance becomes zero by an adjustment. Without this only an empty account is closed.",
        widget=UnfoldBooleanWidget,
    )
    field_order = ("forfeit", "reason", "note", "ticket")


class Close(Verb):
    path, title, permission = "close", "Close the account", "close_account"
    does = (
        "Ends the account for ever: nothing can be moved on it, its plan and standing orders end, its books stay. "
        "What is held or owed has to be settled first."
    )
    form_class = CloseForm
    statuses: ClassVar[set[AccountStatus]] = OPEN
    # What there was to give up when the account was locked: afterwards there is nothing.
    left: Decimal | None = None

    def hold(self, once: Once, data: dict[str, Any]) -> Sheet:
        sheet = super().hold(once, data)
        self.left = sheet.balance
        return sheet

    def plan(self, sheet: Sheet, data: dict[str, Any]) -> None:
        plan.close(sheet, self.memo(data), forfeit=data["forfeit"])

    def figures(self, state: Any, data: dict[str, Any]) -> str:
        """Return a digest of all that is given up: it has to be what was shown."""
        return digest([state.status, str(state.balance), str(state.held), str(state.debt)])

    def foresee(self, state: Any, data: dict[str, Any]) -> list[Change]:
        status = Change("Status", AccountStatus(state.status).label, AccountStatus.CLOSED.label)
        return [status, *super().foresee(state, data)]

    def weight(self, data: dict[str, Any]) -> Weight | None:
        if not data["forfeit"]:
            return None
        left = read_account(self.account.pk).balance if self.left is None else self.left
        return Weight(self.path, self.unit, left) if left > 0 else None

    def act(self, once: Once, data: dict[str, Any]) -> Any:
        return accounts.close_account(once=once, account=self.account.pk, memo=self.memo(data), forfeit=data["forfeit"])

    def said(self, done: Any, data: dict[str, Any]) -> str:
        return "Closed for ever."

    def read(self, field: Any, data: dict[str, Any]) -> str:
        if field.name == "forfeit":
            return "Yes" if data["forfeit"] else "No"
        return super().read(field, data)


desk.register(
    desk.Button(Close, "block", "More", place=90),
    desk.Approvable(CappedAction.CLOSE.value, Close, Account, lambda row: str(row.account_id)),
)
