"""Further buttons of an account: transfer, holds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from credits import plan
from credits.admin import desk, show
from credits.admin.confirmation import digest
from credits.admin.editing import Edit
from credits.admin.forms import TICKET, AmountField, ReasonForm, WholeField, note
from credits.admin.previews import Change, changes, picture
from credits.admin.verbs import Freeze, Unfreeze, Verb
from credits.models import Account, Hold, HoldStatus
from credits.models.accounts import account_id
from credits.plan import Reservation, Sheet
from credits.services import history, holds, transfers
from credits.services.caps import Weight
from credits.services.locks import known, lock_accounts, read_account
from credits.services.once import Once

MOST_HOLDS = 50


class TransferForm(ReasonForm):
    to = forms.CharField(
        max_length=255,
        help_text="The external id of the account that gains, of the same unit.",
        widget=UnfoldAdminTextInputWidget,
    )
    amount = AmountField(help_text="How much moves. Lots keep their category, priority and expiry.", min_value=0)
    field_order = ("to", "amount", "reason", "note", "ticket")


class Transfer(Verb):
    path, title, permission = "transfer", "Transfer credits", "transfer_credits"
    does = "Moves credits to another account of the same unit. Lots that may not move stay."
    form_class = TransferForm

    def target(self, data: dict[str, Any]) -> UUID:
        """Return the account that gains."""
        return account_id(data["to"], self.unit)

    def hold(self, once: Once, data: dict[str, Any]) -> Sheet:
        return self.fit(known(lock_accounts([self.account.pk, self.target(data)], once=once, at=None), self.account.pk))

    def figures(self, state: Any, data: dict[str, Any]) -> str:
        """Return a digest of the status of both. Whether there is enough to move, the service judges."""
        return digest([state.status, read_account(self.target(data)).status])

    def foresee(self, state: Any, data: dict[str, Any]) -> list[Change]:
        """Tell the balances of both."""
        gainer, before = read_account(self.target(data)), picture(state)
        had, account = gainer.balance, Account.objects.get(pk=gainer.id)
        plan.transfer(state, gainer, data["amount"], self.memo(data))
        whose = f"{account.external_id}, {account.name}" if account.name else account.external_id
        gained = show.amount(gainer.balance - had, self.unit, signed=True)
        row = f"To {whose}: balance", show.amount(had, self.unit), show.amount(gainer.balance, self.unit), gained
        return [*changes(before, picture(state), self.unit), Change(*row)]

    def weight(self, data: dict[str, Any]) -> Weight | None:
        return Weight("transfer", self.unit, data["amount"])

    def act(self, once: Once, data: dict[str, Any]) -> Any:
        return transfers.transfer_credits(
            once=once,
            source=self.account.pk,
            target=self.target(data),
            amount=data["amount"],
            memo=self.memo(data),
        )

    def said(self, done: Any, data: dict[str, Any]) -> str:
        return f"Transferred {show.amount(data['amount'], self.unit)} {self.unit} to {data['to']}."


class HoldForm(forms.Form):
    """``choices`` are the open holds."""

    held = forms.ChoiceField(label="Hold", widget=UnfoldAdminSelectWidget)
    note = note("Why", most=180, help_text="Kept in the log.", required=True)
    ticket = forms.CharField(max_length=64, required=False, help_text=TICKET, widget=UnfoldAdminTextInputWidget)

    def __init__(self, *args: Any, choices: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        held: Any = self.fields["held"]
        held.choices = choices if len(choices) == 1 else [("", "Choose a hold"), *choices]


class ExtendForm(HoldForm):
    hours = WholeField(
        min_value=1,
        max_value=24 * 30,
        help_text="It times out so many hours from now.",
    )
    field_order = ("held", "hours", "note", "ticket")


class HoldVerb(Verb):
    """Asks which open hold."""

    permission = "manage_hold"

    def form(self, data: Any = None) -> forms.Form:
        rows = Hold.objects.filter(account=self.account.pk, status=HoldStatus.OPEN, freezes__isnull=True)
        choices = [(str(row.pk), self.label(row)) for row in rows.order_by("-id")[:MOST_HOLDS]]
        form_class: Any = self.form_class
        form: forms.Form = form_class(data, choices=choices, initial={"held": self.request.GET.get("held", "")})
        return form

    def hindrance(self, form: forms.Form) -> str:
        held: Any = form.fields["held"]
        if any(value for value, _ in held.choices):
            return ""
        frozen = Hold.objects.filter(account=self.account.pk, status=HoldStatus.OPEN).exists()
        disputed = (
            " What a disputed payment brought is held until the bank decides; nobody releases that." if frozen else ""
        )
        return f"No hold is open on this account.{disputed}"

    def label(self, row: Hold) -> str:
        """Return a hold as a choice."""
        amount = show.amount(row.remaining, self.unit)
        words = show.unturned(row.description or row.feature or "no words")
        return f"{show.utc(row.created_at)} · {amount} {self.unit} · {words}"

    def figures(self, state: Any, data: dict[str, Any]) -> str:
        """Return a digest of the status, and of the hold: how it stands, what it sets aside and until when."""
        row = Hold.objects.get(pk=data["held"])
        return digest([state.status, row.status, row.amount, row.captured, row.expires_at])

    def held(self, sheet: Sheet, data: dict[str, Any]) -> Reservation:
        """Return the hold, as it is on the account's sheet."""
        return history.load_holds({sheet.id: sheet}, [UUID(data["held"])])[UUID(data["held"])]


class ReleaseHold(HoldVerb):
    path, title = "release-hold", "Release a hold"
    does = "Frees what the hold still sets aside. Whoever placed it can no longer capture it."
    form_class = HoldForm

    def plan(self, sheet: Sheet, data: dict[str, Any]) -> None:
        plan.release(sheet, self.held(sheet, data))
        plan.expire_lots(sheet)

    def act(self, once: Once, data: dict[str, Any]) -> Any:
        return holds.release_hold(once=once, hold=UUID(data["held"]), account=self.account.pk)

    def said(self, done: Any, data: dict[str, Any]) -> str:
        return "Released the hold."


class ExtendHold(HoldVerb):
    path, title = "extend-hold", "Extend a hold"
    does = "Lets a hold last longer, so that it can still be captured."
    form_class = ExtendForm

    def foresee(self, state: Any, data: dict[str, Any]) -> list[Change]:
        held = self.held(state, data)
        before = held.expires_at
        plan.extend(state, held, state.at + timedelta(hours=data["hours"]))
        return [Change("Times out", show.utc(before), show.utc(held.expires_at))]

    def act(self, once: Once, data: dict[str, Any]) -> Any:
        return holds.extend_hold(once=once, hold=UUID(data["held"]), lasting=timedelta(hours=data["hours"]))

    def said(self, done: Any, data: dict[str, Any]) -> str:
        return f"Extended the hold by {data['hours']} hours from now."


desk.register(
    desk.Button(ReleaseHold, "lock_open", "More"),
    desk.Button(ExtendHold, "more_time", "More"),
    desk.Button(Transfer, "sync_alt", "More"),
    desk.Button(Freeze, "ac_unit", "More"),
    desk.Button(Unfreeze, "sunny", "More"),
    desk.Button(Edit, "edit", "More"),
)
