"""The buttons of an account. Each is a form, a preview, and one call of one service.

A form posted without a confirmation is answered by its preview; posted with one, by the act. Pressing the button twice,
going back and pressing it again, or reloading does it once: the confirmation's key is kept with what it did.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse

from credits import plan, units
from credits.admin import show
from credits.admin.confirmation import Confirmation, figures_of
from credits.admin.forms import AdjustForm, EditForm, GrantForm, RefundForm, StatusForm
from credits.admin.previews import Change, changes, picture
from credits.admin.refundable import refundable_spends
from credits.amounts import say
from credits.models import Account, AccountStatus, GrantCategory
from credits.models.memo import Reason
from credits.plan import Actor, LotTerms, Memo, Movement, Sheet
from credits.refusals import Refusal
from credits.services import accounts, corrections, history, movements
from credits.services.locks import lock_account, read_account
from credits.services.once import Once, Replay, money

OPEN = {AccountStatus.ACTIVE, AccountStatus.FROZEN}


class Verb:
    """One button: what it asks, what it would change, and the one service that does it."""

    path: ClassVar[str]
    title: ClassVar[str]
    does: ClassVar[str]
    permission: ClassVar[str]
    form_class: ClassVar[type[forms.Form]]
    statuses: ClassVar[set[AccountStatus]] = OPEN
    previews: ClassVar[bool] = True

    def __init__(self, admin: Any, request: HttpRequest, object_id: str) -> None:
        self.admin = admin
        self.request = request
        account = admin.get_object(request, object_id)
        if account is None:
            raise Http404("There is no such account.")
        self.account: Account = account
        self.unit: str = account.unit_id

    @classmethod
    def allowed(cls, request: HttpRequest) -> bool:
        """Whether the user may press this button."""
        return request.user.has_perm(f"credits.{cls.permission}")

    @classmethod
    def offered(cls, status: str) -> bool:
        """Whether the button makes sense for an account of this status."""
        return status in cls.statuses

    def answer(self) -> HttpResponse:
        """Show the form, the preview, or do it and return to the account."""
        if not (self.allowed(self.request) and self.admin.has_view_permission(self.request, self.account)):
            raise PermissionDenied
        if self.request.method == "GET":
            return self.ask(self.form())
        if self.request.method != "POST":
            return HttpResponseNotAllowed(["GET", "POST"])
        form = self.form(self.request.POST)
        if "back" in self.request.POST or not form.is_valid():
            return self.ask(form)
        try:
            return self.go_on(form)
        except Refusal as refusal:
            field = getattr(refusal, "field", None)
            form.add_error(field if field in form.fields else None, refusal.detail)
            return self.ask(form)

    def go_on(self, form: forms.Form) -> HttpResponse:
        """Answer a valid form. Raises what the plan or the service refuses."""
        wanted = Confirmation.of(self.request.user, self.path, self.account.pk, form.cleaned_data)
        given = wanted.found_in(self.request.POST.get("confirmation", ""))
        if given is None:
            return self.preview(form, wanted)
        try:
            done = _confirmed(verb=self, given=given, data=form.cleaned_data)
        except Replay:
            messages.info(self.request, "This was done before. Nothing was done twice.")
            return HttpResponseRedirect(show.page_of(Account, self.account.pk))
        if done is None:
            return self.preview(form, given, changed=True)
        messages.success(self.request, self.said(done, form.cleaned_data))
        return HttpResponseRedirect(show.page_of(Account, self.account.pk))

    def preview(self, form: forms.Form, confirmation: Confirmation, *, changed: bool = False) -> HttpResponse:
        """Show what would change. Writes nothing. Raises what the plan refuses."""
        sheet = read_account(self.account.pk)
        confirmation = confirmation.showing(sheet)
        return self.page(
            "preview",
            form=form,
            changed=changed,
            confirmation=confirmation.signed(),
            changes=self.foresee(sheet, form.cleaned_data),
            asked=[(field.label, self.read(field, form.cleaned_data)) for field in form],
        )

    def ask(self, form: forms.Form) -> HttpResponse:
        """Show the form."""
        return self.page("form", form=form)

    def page(self, step: str, **context: Any) -> HttpResponse:
        """Render a step."""
        self.request.current_app = self.admin.admin_site.name
        return TemplateResponse(
            self.request,
            f"admin/credits/account/verb_{step}.html",
            {
                **self.admin.admin_site.each_context(self.request),
                "title": f"{self.title}: {self.account.external_id}",
                "opts": self.admin.opts,
                "account": self.account,
                "balance": show.amount(self.account.balance, self.unit),
                "verb": self,
                **context,
            },
        )

    def read(self, field: Any, data: dict[str, Any]) -> str:
        """Return what was filled into a field, for people."""
        value = data[field.name]
        if isinstance(value, Decimal):
            return f"{show.amount(value, self.unit, signed=self.path == 'adjust')} {self.unit}"
        if field.name == "expires_at":
            return f"{show.moment(value)} UTC" if value else "Never"
        choices = dict(getattr(field.field, "choices", ()))
        return str(choices.get(value, value) or show.EMPTY)

    def memo(self, data: dict[str, Any]) -> Memo:
        """Return who does it and why, as the movement will keep it."""
        user = self.request.user
        return Memo(
            Actor("staff", str(user.pk), user.get_username()),
            description=data["note"],
            reason=data["reason"],
            metadata={"ticket": data["ticket"]} if data["ticket"] else {},
            request_id=self.request.META.get("florin.request_id", ""),
        )

    def because(self, data: dict[str, Any]) -> str:
        """Return why, for the log of what staff did."""
        reason = Reason(data["reason"]).label if data.get("reason") else ""
        ticket = f"ticket {data['ticket']}" if data["ticket"] else ""
        return "; ".join(filter(None, (reason, ticket, data["note"])))

    def form(self, data: Any = None) -> forms.Form:
        """Return the form, filled with what was posted."""
        return self.form_class(data)

    def foresee(self, sheet: Sheet, data: dict[str, Any]) -> list[Change]:
        """Return what would change, from the same plan that the service makes."""
        before = picture(sheet)
        self.plan(sheet, data)
        return changes(before, picture(sheet), self.unit)

    def plan(self, sheet: Sheet, data: dict[str, Any]) -> None:
        """Plan it on a working copy. Raises what the service would raise."""
        raise NotImplementedError

    def act(self, once: Once, data: dict[str, Any]) -> Movement | Account:
        """Call the one service."""
        raise NotImplementedError

    def said(self, done: Movement | Account, data: dict[str, Any]) -> str:
        """Return what was done, in words."""
        raise NotImplementedError


@money
def _confirmed(_once: Once | None, /, *, verb: Verb, given: Confirmation, data: dict[str, Any]) -> Any:
    """Do what was confirmed and log who did it, together; or return None where the figures shown no longer hold.

    The account is locked first, so that nothing can change it between that judgement and the service. A refusal undoes
    all of it, the key included, so that a mended form can be sent again.
    """
    once = given.once()
    sheet = lock_account(verb.account.pk, once=once, at=None)
    if figures_of(sheet) != given.seen:
        return None
    done = verb.act(once, data)
    verb.admin.log_change(verb.request, verb.account, f"{verb.said(done, data)} {verb.because(data)}".strip())
    return done


class Adjust(Verb):
    path, title, permission = "adjust", "Adjust the balance", "adjust_account"
    does = "Changes the balance by a difference, as a movement of its own. What is added becomes a promotional lot."
    form_class = AdjustForm

    def plan(self, sheet: Sheet, data: dict[str, Any]) -> None:
        plan.adjust(sheet, data["amount"], self.memo(data))

    def act(self, once: Once, data: dict[str, Any]) -> Movement | Account:
        done: Movement = movements.adjust_balance(
            once=once, account=self.account.pk, delta=data["amount"], memo=self.memo(data)
        )
        return done

    def said(self, done: Movement | Account, data: dict[str, Any]) -> str:
        return f"Adjusted by {show.amount(data['amount'], self.unit, signed=True)} {self.unit}."


class Give(Verb):
    path, title, permission = "grant", "Grant credits", "grant_credits"
    does = "Gives promotional credits as a lot of its own, which may expire. Debt is repaid from it first."
    form_class = GrantForm

    def terms(self, data: dict[str, Any]) -> LotTerms:
        """Return the terms of the lot."""
        return LotTerms(category=GrantCategory.PROMOTIONAL, expires_at=data["expires_at"])

    def plan(self, sheet: Sheet, data: dict[str, Any]) -> None:
        plan.add(sheet, data["amount"], self.memo(data), self.terms(data))

    def act(self, once: Once, data: dict[str, Any]) -> Movement | Account:
        done: Movement = movements.add_credits(
            once=once, account=self.account.pk, amount=data["amount"], memo=self.memo(data), terms=self.terms(data)
        )
        return done

    def said(self, done: Movement | Account, data: dict[str, Any]) -> str:
        until = f", to be spent by {show.moment(data['expires_at'])} UTC" if data["expires_at"] else ""
        return f"Granted {show.amount(data['amount'], self.unit)} {self.unit}{until}."


class Refund(Verb):
    path, title, permission = "refund", "Refund a spend", "refund_transaction"
    does = "Gives a spend back, whole or in part, to the lots it was drawn from."
    form_class = RefundForm

    def form(self, data: Any = None) -> forms.Form:
        asked = (data or self.request.GET).get("movement", "")
        choices = refundable_spends(self.account, asked)
        return RefundForm(data, choices=choices, initial={"movement": asked})

    def plan(self, sheet: Sheet, data: dict[str, Any]) -> None:
        spend = UUID(data["movement"])
        plan.refund(sheet, history.load_posted({sheet.id: sheet}, [spend])[spend], data["amount"], self.memo(data))
        plan.expire_lots(sheet)

    def act(self, once: Once, data: dict[str, Any]) -> Movement | Account:
        done: Movement = corrections.refund_transaction(
            once=once, transaction=UUID(data["movement"]), amount=data["amount"], memo=self.memo(data)
        )
        return done

    def said(self, done: Movement | Account, data: dict[str, Any]) -> str:
        given = done.amount if isinstance(done, Movement) else data["amount"]
        return f"Refunded {show.amount(given, self.unit)} {self.unit}."

    def read(self, field: Any, data: dict[str, Any]) -> str:
        if field.name == "amount" and data["amount"] is None:
            return "All that is left of it"
        return super().read(field, data)


class Freeze(Verb):
    path, title, permission = "freeze", "Freeze the account", "freeze_account"
    does = "The account can no longer spend, hold or transfer. It may still gain, capture and release."
    form_class = StatusForm
    statuses: ClassVar[set[AccountStatus]] = {AccountStatus.ACTIVE}

    def foresee(self, sheet: Sheet, data: dict[str, Any]) -> list[Change]:
        return [Change("Status", AccountStatus(sheet.status).label, AccountStatus.FROZEN.label)]

    def act(self, once: Once, data: dict[str, Any]) -> Movement | Account:
        reason = f"{data['note']} ({data['ticket']})" if data["ticket"] else data["note"]
        done: Account = accounts.freeze_account(once=once, account=self.account.pk, reason=reason)
        return done

    def said(self, done: Movement | Account, data: dict[str, Any]) -> str:
        return "Frozen."


class Unfreeze(Freeze):
    path, title = "unfreeze", "Unfreeze the account"
    does = "The account can spend, hold and transfer again."
    statuses: ClassVar[set[AccountStatus]] = {AccountStatus.FROZEN}

    def foresee(self, sheet: Sheet, data: dict[str, Any]) -> list[Change]:
        return [Change("Status", AccountStatus(sheet.status).label, AccountStatus.ACTIVE.label)]

    def act(self, once: Once, data: dict[str, Any]) -> Movement | Account:
        done: Account = accounts.unfreeze_account(once=once, account=self.account.pk)
        return done

    def said(self, done: Movement | Account, data: dict[str, Any]) -> str:
        return "Unfrozen."


class Edit(Verb):
    """No credits move, so there is nothing to preview."""

    path, title, permission = "edit", "Edit the account", "change_account"
    does = "What the account is known by, and its limits. Its external id and unit never change."
    form_class = EditForm
    previews = False

    def form(self, data: Any = None) -> forms.Form:
        initial = {name: _plain(getattr(self.account, name)) for name in EditForm.base_fields}
        return EditForm(data, initial=initial, places=units.decimal_places(self.unit))

    def go_on(self, form: forms.Form) -> HttpResponse:
        changed = {name: form.cleaned_data[name] for name in form.changed_data}
        # The service takes None for "as it is".
        changed = {name: value for name, value in changed.items() if value is not None}
        if changed:
            words = ", ".join(str(form.fields[name].label or name.replace("_", " ")).lower() for name in changed)
            with transaction.atomic():
                accounts.change_account(account=self.account.pk, particulars=accounts.Particulars(**changed))
                self.admin.log_change(self.request, self.account, f"Changed {words}.")
            messages.success(self.request, f"Changed {words}.")
        return HttpResponseRedirect(show.page_of(Account, self.account.pk))


def _plain(value: Any) -> Any:
    """Return an amount without the zeros its column adds."""
    return Decimal(say(value)) if isinstance(value, Decimal) else value


VERBS: tuple[type[Verb], ...] = (Adjust, Give, Refund, Freeze, Unfreeze, Edit)
BY_PATH = {verb.path: verb for verb in VERBS}
