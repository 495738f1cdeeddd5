"""The buttons that change something: a form, a preview of what would change, and on confirmation one service call.

Who may, is one permission a button. The preview is made by the very plan or comparison that the service makes, and
writes nothing; the confirmation is good only for what it showed, and is refused where what the act depends on has
changed. A figure that merely moves by itself, such as the balance of an account in use, is no such thing: what it was
is told anew under the lock, for the log. Pressing the button twice, going back and pressing it again, or reloading does
it once: the confirmation's key is kept with what it did.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar, TypedDict
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from credits.admin import show
from credits.admin.confirmation import Confirmation
from credits.admin.forms import AmountField
from credits.admin.logged import actor_of, request_id
from credits.admin.previews import Change
from credits.models import ApprovalRequest
from credits.models.fields import DECIMAL_PLACES
from credits.plan import Actor
from credits.refusals import Refusal
from credits.services.approvals import Wish, ask_approval
from credits.services.caps import AboveCap, Weight, check_cap, lock_day
from credits.services.once import Once, Replay, keep, money


class Motive(TypedDict, total=False):
    """Why, as requests and the log keep it."""

    reason: str
    note: str
    ticket: str


class Act:
    """One button: what it asks, what it would change, and the one service that does it."""

    path: ClassVar[str]
    title: ClassVar[str]
    does: ClassVar[str]
    permission: ClassVar[str]
    form_class: ClassVar[type[forms.Form]]
    # Whether there is anything to fill in; if not, the button leads to the preview at once.
    asks: ClassVar[bool] = True
    previews: ClassVar[bool] = True
    templates: ClassVar[dict[str, str]] = {
        "form": "admin/credits/act/form.html",
        "preview": "admin/credits/act/preview.html",
    }

    def __init__(self, admin: Any, request: HttpRequest) -> None:
        self.admin = admin
        self.request = request
        # Set where it is done for somebody who asked, by somebody who approved.
        self.asker: Actor | None = None
        self.approver: Actor | None = None
        # What is changed, as it was told just before, for the log.
        self.changes: list[Change] = []

    @classmethod
    def allowed(cls, request: HttpRequest) -> bool:
        """Whether the user may press this button."""
        return request.user.has_perm(cls.right())

    @classmethod
    def right(cls) -> str:
        """Return the permission as Django names it."""
        return cls.permission if "." in cls.permission else f"credits.{cls.permission}"

    @property
    def actor(self) -> Actor:
        """Who presses it, as it is kept with what is done."""
        return self.asker or actor_of(self.request)

    @property
    def subject(self) -> Any:
        """The row it is about; None where it is about all of them."""
        return None

    @property
    def heading(self) -> str:
        """What the page is called."""
        return self.title

    @property
    def home(self) -> str:
        """Where it leads back to."""
        opts = self.admin.opts
        return reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")

    def answer(self) -> HttpResponse:
        """Show the form, the preview, or do it and return."""
        if not (self.allowed(self.request) and self.admin.has_view_permission(self.request, self.subject)):
            raise PermissionDenied(self.right())
        if self.request.method == "GET" and self.asks:
            return self.ask(self.filled())
        if self.request.method not in {"GET", "POST"}:
            return HttpResponseNotAllowed(["GET", "POST"])
        if "back" in self.request.POST and not self.asks:
            return HttpResponseRedirect(self.home)
        form = self.filled(self.request.POST)
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
        subject = self.subject.pk if self.subject else ""
        wanted = Confirmation.of(self.request.user, self.path, subject, form.cleaned_data)
        given = wanted.found_in(self.request.POST.get("confirmation", ""))
        if given is None:
            return self.preview(form, wanted)
        try:
            return self.go_through(form, given)
        except Replay:
            return self.again(given)

    def go_through(self, form: forms.Form, given: Confirmation) -> HttpResponse:
        """Do what was confirmed, or ask for it where it takes a second person. Raises Replay where either was done."""
        try:
            done = self.confirmed(given, form.cleaned_data)
        except AboveCap as above:
            return self.ask_approval(form, given, str(above))
        if done is None:
            return self.preview(form, given, changed=True)
        messages.success(self.request, show.in_zone(self.said(done, form.cleaned_data)))
        return HttpResponseRedirect(self.home)

    def again(self, given: Confirmation) -> HttpResponse:
        """Lead to what was asked for before, or say that it was done."""
        asked = ApprovalRequest.objects.filter(key=given.asking).first()
        if asked is None:
            messages.info(self.request, "This was done before. Nothing was done twice.")
            return HttpResponseRedirect(self.home)
        messages.warning(self.request, f"This was asked for before: {asked.get_status_display().lower()}.")
        return HttpResponseRedirect(show.page_of(ApprovalRequest, asked.pk))

    def confirmed(self, given: Confirmation, data: dict[str, Any]) -> Any:
        """Do what was confirmed and return it; or return None where what was shown no longer holds."""
        done = _confirmed(act=self, given=given, data=data)
        return None if done is None else self.finish(done)

    def preview(self, form: forms.Form, confirmation: Confirmation, *, changed: bool = False) -> HttpResponse:
        """Show what would change. Writes nothing. Raises what the plan refuses."""
        state = self.look(form.cleaned_data)
        confirmation = confirmation.showing(self.figures(state, form.cleaned_data))
        return self.page(
            "preview",
            form=form,
            changed=changed,
            confirmation=confirmation.signed(),
            asked=self.asked(form),
            above_cap=self.above_cap(form.cleaned_data),
            **self.foreseen(state, form.cleaned_data),
        )

    def above_cap(self, data: dict[str, Any]) -> str:
        """Return why it takes a second person; nothing where it does not."""
        weight = self.weight(data)
        try:
            if weight:
                check_cap(user=self.request.user, weight=weight)
        except AboveCap as above:
            return str(above)
        return ""

    def weight(self, data: dict[str, Any]) -> Weight | None:
        """Return what counts against the caps of whoever does it."""
        return None

    def ask_approval(self, form: forms.Form, given: Confirmation, why: str) -> HttpResponse:
        """Keep what was filled in for a second person, which spends the confirmation: it is asked for once, or done.

        Otherwise whoever goes back, once their cap allows it, would do it beside who approves it. Raises Replay.
        """
        data, weight = form.cleaned_data, self.weight(form.cleaned_data)
        if weight is None:
            raise PermissionDenied
        wish = Wish(
            weight,
            key=given.asking,
            why=why,
            account=self.owner,
            asked=self.kept(form),
            preview=[[change.label, change.before, change.after] for change in self.told(data)],
            request_id=request_id(self.request),
            **self.motive(data),
        )
        row, _ = self.wished(given, wish)
        messages.warning(self.request, f"{why} It waits for somebody else's approval.")
        return HttpResponseRedirect(show.page_of(ApprovalRequest, row.pk))

    def wished(self, given: Confirmation, wish: Wish) -> tuple[ApprovalRequest, bool]:
        """Ask for it under the confirmation's own key. Raises Replay where that was used."""
        return keep(once=given.once(), act=lambda: ask_approval(wish=wish, actor=self.actor))

    @property
    def owner(self) -> UUID | None:
        """The account that it is about, if it is about one."""
        return None

    def kept(self, form: forms.Form) -> dict[str, Any]:
        """Return what was filled in, for a request to keep."""
        return {name: str(form.data.get(name, "")) for name in form.fields}

    def motive(self, data: dict[str, Any]) -> Motive:
        """Return why, as it was filled in."""
        return {"reason": data.get("reason", ""), "note": data.get("note", ""), "ticket": data.get("ticket", "")}

    def told(self, data: dict[str, Any]) -> list[Change]:
        """Return what is about to change, for the log."""
        return self.foresee(self.look(data), data)

    def ask(self, form: forms.Form) -> HttpResponse:
        """Show the form, or in a sentence why there is nothing to fill in."""
        return self.page("form", form=form, hindrance="" if form.is_bound else self.hindrance(form))

    def hindrance(self, form: forms.Form) -> str:
        """Return why there is nothing to do; nothing where there is."""
        return ""

    def page(self, step: str, **context: Any) -> HttpResponse:
        """Render a step. The browser may show it again on the way back: pressed again there, it is done once."""
        self.request.current_app = self.admin.admin_site.name
        self.request.META["florin.returnable"] = True
        return TemplateResponse(
            self.request,
            self.templates[step],
            {
                **self.admin.admin_site.each_context(self.request),
                "title": self.heading,
                "opts": self.admin.opts,
                "act": self,
                **context,
            },
        )

    def asked(self, form: forms.Form) -> list[tuple[str, str]]:
        """Return what was filled in, for people."""
        fields = [field for field in form if not field.is_hidden]
        # It is filled in as UTC, and read in the reader's own zone.
        return [(str(field.label).removesuffix(" (UTC)"), self.read(field, form.cleaned_data)) for field in fields]

    def read(self, field: Any, data: dict[str, Any]) -> str:
        """Return what was filled into a field, for people."""
        value = data[field.name]
        if isinstance(field.field, forms.DateTimeField):
            return show.utc(value)
        if isinstance(value, Decimal):
            return show.quantity(value)
        choices = dict(getattr(field.field, "choices", ()))
        return str(choices.get(value, value) or show.EMPTY)

    def filled(self, data: Any = None) -> forms.Form:
        """Return the form, filled with what was posted; its amounts are as fine as their unit."""
        form = self.form(data)
        for field in form.fields.values():
            if isinstance(field, AmountField) and field.of_unit:
                field.places = self.places
        return form

    @property
    def places(self) -> int:
        """How many decimal places its amounts have."""
        return DECIMAL_PLACES

    def form(self, data: Any = None) -> forms.Form:
        """Return the form, filled with what was posted."""
        return self.form_class(data)

    def foreseen(self, state: Any, data: dict[str, Any]) -> dict[str, Any]:
        """Return what the preview prints."""
        changes = self.foresee(state, data)
        return {"changes": changes, "differ": any(change.difference for change in changes)}

    def foresee(self, state: Any, data: dict[str, Any]) -> list[Change]:
        """Return what would change of what was looked at."""
        raise NotImplementedError

    def look(self, data: dict[str, Any]) -> Any:
        """Return what there is to change, without a lock."""
        raise NotImplementedError

    def hold(self, once: Once, data: dict[str, Any]) -> Any:
        """Return what there is to change, locked. Raises Replay where the key was used."""
        raise NotImplementedError

    def figures(self, state: Any, data: dict[str, Any]) -> str:
        """Return a digest of what the act depends on: while that holds, what was confirmed is what is done."""
        raise NotImplementedError

    def act(self, once: Once, data: dict[str, Any]) -> Any:
        """Call the one service."""
        raise NotImplementedError

    def do(self, once: Once, data: dict[str, Any], *, seen: str, check: Callable[..., None]) -> Any:
        """Do it and log it, where what was ``seen`` still holds when it is locked; or return None.

        Call it in a transaction. ``check`` refuses whoever presses what weighs too much for them.
        """
        if self.figures(self.hold(once, data), data) != seen:
            return None
        # Weighed anew: until it was locked, it may have been changed there and back, or have come to more.
        if weight := self.weight(data):
            check(user=self.request.user, weight=weight)
        self.changes = self.told(data)
        done = self.act(once, data)
        self.record(done, data)
        return done

    def finish(self, done: Any) -> Any:
        """Do what has to wait until what was done is committed, and return what it is by then."""
        return done

    def record(self, done: Any, data: dict[str, Any]) -> None:
        """Log who did it."""
        raise NotImplementedError

    def said(self, done: Any, data: dict[str, Any]) -> str:
        """Return what was done, in words."""
        raise NotImplementedError


@money
def _confirmed(_once: Once | None, /, *, act: Act, given: Confirmation, data: dict[str, Any]) -> Any:
    """Do what was confirmed and log who did it, together; or return None where what was shown no longer holds.

    What is changed is locked first, so that nothing can change it between that judgement and the service. A refusal
    undoes all of it, the key included, so that a mended form can be sent again.
    """
    once, weight = given.once(), act.weight(data)
    if weight:
        lock_day(user=act.request.user, weight=weight)
    return act.do(once, data, seen=given.seen, check=check_cap)
