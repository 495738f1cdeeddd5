"""The buttons of an account that move its credits or change what it may do."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib.admin.models import CHANGE, LogEntry
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse

from credits import plan, units
from credits.admin import show
from credits.admin.acts import Act
from credits.admin.confirmation import digest
from credits.admin.forms import AdjustForm, GrantForm, RefundForm, StatusForm
from credits.admin.lists import as_uuid
from credits.admin.logged import actor_of, request_id
from credits.admin.lots import ANEW
from credits.admin.previews import Change, changes, picture
from credits.admin.refundable import left_to_refund, refundable_spends
from credits.models import Account, AccountStatus, GrantCategory, Transaction, TransactionKind
from credits.models.memo import Reason
from credits.plan import LotTerms, Memo, Sheet
from credits.plan.state import ZERO
from credits.refusals import InvalidField
from credits.services import accounts, corrections, history, movements
from credits.services.caps import Weight
from credits.services.locks import lock_account, read_account
from credits.services.once import Once
from credits.services.staff import Told, record_act

OPEN = {AccountStatus.ACTIVE, AccountStatus.FROZEN}


class Verb(Act):
    """A button on the page of an account."""

    statuses: ClassVar[set[AccountStatus]] = OPEN

    def __init__(self, admin: Any, request: HttpRequest, object_id: str) -> None:
        super().__init__(admin, request)
        account = admin.get_object(request, object_id)
        if account is None:
            raise Http404("There is no such account.")
        self.account: Account = account
        self.unit: str = account.unit_id

    @classmethod
    def offered(cls, status: str) -> bool:
        """Whether the button makes sense for an account of this status."""
        return status in cls.statuses

    @classmethod
    def address(cls, account: UUID) -> str:
        """Return where the button of an account leads."""
        return reverse(f"admin:credits_account_{cls.path.replace('-', '_')}", args=[account])

    @property
    def subject(self) -> Account:
        """The account."""
        return self.account

    @property
    def owner(self) -> UUID:
        """The account."""
        return self.account.pk

    @property
    def places(self) -> int:
        """Those of the account's unit."""
        return units.decimal_places(self.unit)

    @property
    def heading(self) -> str:
        """What the page is called."""
        return f"{self.title}: {self.account.external_id}"

    @property
    def home(self) -> str:
        """The account's page."""
        return show.page_of(Account, self.account.pk)

    def page(self, step: str, **context: Any) -> HttpResponse:
        """Render a step, under the name of the account."""
        balance = show.amount(self.account.balance, self.unit)
        return super().page(step, account=self.account, balance=balance, **context)

    def read(self, field: Any, data: dict[str, Any]) -> str:
        """Return what was filled into a field, for people."""
        value = data[field.name]
        if isinstance(value, Decimal):
            return f"{show.amount(value, self.unit, signed=self.path == 'adjust')} {self.unit}"
        if field.name == "expires_at" and value is None:
            return "Never"
        return super().read(field, data)

    def memo(self, data: dict[str, Any]) -> Memo:
        """Return who does it and why, as the movement will keep it."""
        return Memo(
            self.actor,
            description=data["note"],
            reason=data["reason"],
            metadata=self.noted(data),
            request_id=self.request.META.get("florin.request_id", ""),
        )

    def noted(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return what the movement keeps beside: the ticket, and who approved it."""
        noted = {"ticket": data["ticket"]} if data["ticket"] else {}
        return noted | ({"approved_by": self.approver.name} if self.approver else {})

    def because(self, data: dict[str, Any]) -> str:
        """Return why, for the log of what staff did."""
        reason = Reason(data["reason"]).label if data.get("reason") else ""
        ticket = f"ticket {data['ticket']}" if data["ticket"] else ""
        return "; ".join(filter(None, (reason, ticket, data["note"])))

    def look(self, data: dict[str, Any]) -> Sheet:
        """Return the account as it is. Raises InvalidField where the button is not for accounts of its status."""
        return self.fit(read_account(self.account.pk))

    def hold(self, once: Once, data: dict[str, Any]) -> Sheet:
        """Return the account, locked. Raises what looking at it does."""
        return self.fit(lock_account(self.account.pk, once=once, at=None))

    def fit(self, sheet: Sheet) -> Sheet:
        """Return an account that the button is for."""
        if not self.offered(sheet.status):
            raise InvalidField("account", f"The account is {AccountStatus(sheet.status).label.lower()}.")
        return sheet

    def figures(self, state: Any, data: dict[str, Any]) -> str:
        """Return a digest of its status, and of no figure: an account in use has another balance every second.

        A fixed amount is added, or taken, as it was shown whatever else moves meanwhile; where there is no longer
        enough to take, the service refuses. A verb that depends on more says so itself.
        """
        return digest([state.status])

    def foresee(self, state: Any, data: dict[str, Any]) -> list[Change]:
        """Return what would change, from the same plan that the service makes."""
        before = picture(state)
        self.plan(state, data)
        return changes(before, picture(state), self.unit)

    def record(self, done: Any, data: dict[str, Any]) -> None:
        """Log it with the account, and in the log of what staff did, with what was and what is."""
        said = self.said(done, data)
        words = f"{said} {self.because(data)}".strip()
        LogEntry.objects.log_actions(actor_of(self.request).id, [self.account], CHANGE, words, single_object=True)
        weight = self.weight(data)
        told = Told(
            account=self.account.pk,
            before={change.label: change.before for change in self.changes},
            after={change.label: change.after for change in self.changes},
            unit=self.unit if weight else "",
            amount=weight.amount if weight else None,
            approved_by=self.approver.name if self.approver else "",
            request_id=request_id(self.request),
            **self.motive(data),
        )
        record_act(actor=self.actor, action=self.path, what=said, told=told)

    def plan(self, sheet: Sheet, data: dict[str, Any]) -> None:
        """Plan it on a working copy. Raises what the service would raise."""
        raise NotImplementedError


class Adjust(Verb):
    path, title, permission = "adjust", "Adjust the balance", "adjust_account"
    does = "Changes the balance by a difference, as a movement of its own. What is added becomes a promotional lot."
    form_class = AdjustForm

    def plan(self, sheet: Sheet, data: dict[str, Any]) -> None:
        plan.adjust(sheet, data["amount"], self.memo(data))

    def weight(self, data: dict[str, Any]) -> Weight | None:
        return Weight("adjust", self.unit, abs(data["amount"]))

    def act(self, once: Once, data: dict[str, Any]) -> Any:
        return movements.adjust_balance(once=once, account=self.account.pk, delta=data["amount"], memo=self.memo(data))

    def said(self, done: Any, data: dict[str, Any]) -> str:
        return f"Adjusted by {show.amount(data['amount'], self.unit, signed=True)} {self.unit}."


class Give(Verb):
    path, title, permission = "grant", "Grant credits", "grant_credits"
    does = "Gives promotional credits as a lot of its own, which may expire. Debt is repaid from it first."
    form_class = GrantForm

    def form(self, data: Any = None) -> forms.Form:
        return GrantForm(data, initial={name: self.request.GET.get(name, "") for name in ("amount", "expiry")})

    def hindrance(self, form: forms.Form) -> str:
        return self.granted_anew(as_uuid(str(form.initial["expiry"])))

    def granted_anew(self, expiry: UUID | None) -> str:
        """Return, in a sentence, how what expired was granted anew before; nothing where it was not."""
        rows = Transaction.objects.filter(account=self.account.pk, reference_type=ANEW, reference_id=str(expiry))
        row = rows.first() if expiry else None
        if row is None:
            return ""
        given = f"{show.amount(row.amount, self.unit, signed=True)} {self.unit}"
        return f"It was granted anew before: {given}, {show.utc(row.recorded_at)}."

    def check(self, data: dict[str, Any]) -> None:
        """Refuse to grant anew what did not expire here, or a second time."""
        if (expiry := data["expiry"]) is None:
            return
        if not Transaction.objects.filter(pk=expiry, account=self.account.pk, kind=TransactionKind.EXPIRY).exists():
            raise InvalidField("reference", "Nothing expired here by that movement.")
        if before := self.granted_anew(expiry):
            raise InvalidField("reference", before)

    def memo(self, data: dict[str, Any]) -> Memo:
        """Return who does it and why, and what for: an expiry is answered once."""
        memo = super().memo(data)
        return replace(memo, reference_type=ANEW, reference_id=str(data["expiry"])) if data["expiry"] else memo

    def terms(self, data: dict[str, Any]) -> LotTerms:
        """Return the terms of the lot."""
        return LotTerms(category=GrantCategory.PROMOTIONAL, expires_at=data["expires_at"])

    def plan(self, sheet: Sheet, data: dict[str, Any]) -> None:
        self.check(data)
        plan.add(sheet, data["amount"], self.memo(data), self.terms(data))

    def weight(self, data: dict[str, Any]) -> Weight | None:
        return Weight("grant", self.unit, data["amount"])

    def act(self, once: Once, data: dict[str, Any]) -> Any:
        self.check(data)
        return movements.add_credits(
            once=once, account=self.account.pk, amount=data["amount"], memo=self.memo(data), terms=self.terms(data)
        )

    def said(self, done: Any, data: dict[str, Any]) -> str:
        until = f", to be spent by {show.utc(data['expires_at'])}" if data["expires_at"] else ""
        return f"Granted {show.amount(data['amount'], self.unit)} {self.unit}{until}."


class Refund(Verb):
    path, title, permission = "refund", "Refund a spend", "refund_transaction"
    does = "Gives a spend back, whole or in part, to the lots it was drawn from."
    form_class = RefundForm
    # What of it goes to lots that have expired, and so lapses at once; known once it was foreseen.
    lapses: Decimal = ZERO

    def form(self, data: Any = None) -> forms.Form:
        asked = (data or self.request.GET).get("movement", "")
        choices = refundable_spends(self.account, asked)
        return RefundForm(data, choices=choices, initial={"movement": asked})

    def plan(self, sheet: Sheet, data: dict[str, Any]) -> None:
        spend = UUID(data["movement"])
        plan.refund(sheet, history.load_posted({sheet.id: sheet}, [spend])[spend], data["amount"], self.memo(data))
        plan.expire_lots(sheet)

    def foresee(self, state: Any, data: dict[str, Any]) -> list[Change]:
        """Tell too what lapses at once: it leaves the balance as it is."""
        planned = len(state.movements)
        found = super().foresee(state, data)
        refund, *others = state.movements[planned:]
        self.lapses = -sum((each.amount for each in others if each.kind == TransactionKind.EXPIRY), ZERO)
        if not self.lapses:
            return found
        lapses, of = show.amount(self.lapses, self.unit), show.amount(refund.amount, self.unit)
        how_much = f"all {of}" if self.lapses == refund.amount else f"{lapses} of {of}"
        return [*found, Change("Lapses at once: the lot has expired", show.EMPTY, how_much)]

    def figures(self, state: Any, data: dict[str, Any]) -> str:
        """Return a digest of the status, and of what is left to refund of the spend."""
        spend = Transaction.objects.get(pk=data["movement"])
        return digest([state.status, left_to_refund(state, [spend]).get(spend.pk)])

    def weight(self, data: dict[str, Any]) -> Weight | None:
        """Weigh the whole spend where no amount is named: what is left of it is at the most that."""
        amount = data["amount"]
        if amount is None:
            spend = Transaction.objects.only("amount", "debt").get(pk=data["movement"])
            amount = abs(spend.amount) + abs(spend.debt)
        return Weight("refund", self.unit, amount)

    def act(self, once: Once, data: dict[str, Any]) -> Any:
        return corrections.refund_transaction(
            once=once, transaction=UUID(data["movement"]), amount=data["amount"], memo=self.memo(data)
        )

    def said(self, done: Any, data: dict[str, Any]) -> str:
        refunded = f"Refunded {show.amount(done.amount, self.unit)} {self.unit}"
        if not self.lapses:
            return f"{refunded}."
        lapsed = f"{show.amount(self.lapses, self.unit)} lapsed at once: their lot had expired"
        return f"{refunded}, of which {lapsed}. Grant them anew if they shall stay."

    def read(self, field: Any, data: dict[str, Any]) -> str:
        if field.name == "amount" and data["amount"] is None:
            return "All that is left of it"
        return super().read(field, data)


class Freeze(Verb):
    path, title, permission = "freeze", "Freeze the account", "freeze_account"
    does = "The account can no longer spend, hold or transfer. It may still gain, capture and release."
    form_class = StatusForm
    statuses: ClassVar[set[AccountStatus]] = {AccountStatus.ACTIVE}

    def foresee(self, state: Any, data: dict[str, Any]) -> list[Change]:
        return [Change("Status", AccountStatus(state.status).label, AccountStatus.FROZEN.label)]

    def act(self, once: Once, data: dict[str, Any]) -> Any:
        reason = f"{data['note']} ({data['ticket']})" if data["ticket"] else data["note"]
        return accounts.freeze_account(once=once, account=self.account.pk, reason=reason)

    def said(self, done: Any, data: dict[str, Any]) -> str:
        return "Frozen."


class Unfreeze(Freeze):
    path, title = "unfreeze", "Unfreeze the account"
    does = "The account can spend, hold and transfer again."
    statuses: ClassVar[set[AccountStatus]] = {AccountStatus.FROZEN}

    def foresee(self, state: Any, data: dict[str, Any]) -> list[Change]:
        return [Change("Status", AccountStatus(state.status).label, AccountStatus.ACTIVE.label)]

    def act(self, once: Once, data: dict[str, Any]) -> Any:
        return accounts.unfreeze_account(once=once, account=self.account.pk)

    def said(self, done: Any, data: dict[str, Any]) -> str:
        return "Unfrozen."


VERBS: tuple[type[Verb], ...] = (Adjust, Give, Refund, Freeze, Unfreeze)
BY_PATH: dict[str, type[Verb]] = {verb.path: verb for verb in VERBS}
