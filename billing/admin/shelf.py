"""The buttons by which staff changes what is sold: packs, and which of the provider's prices pays for a plan."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.http import Http404, HttpRequest, HttpResponse

from billing.admin.shelf_forms import MapForm, NewPackForm, PackForm
from billing.models import AutoTopUp, Pack, PlanPrice
from billing.services import shelf
from billing.services.catalogue import Cost, Terms, cost_of
from credits.admin import show
from credits.admin.acts import Act
from credits.admin.confirmation import Confirmation, digest
from credits.admin.logged import request_id
from credits.admin.previews import Change
from credits.amounts import places_of, say
from credits.models import Unit
from credits.models.fields import DECIMAL_PLACES
from credits.refusals import InvalidField
from credits.services.once import Once
from credits.services.staff import Told, record_act
from credits.units import decimal_places

UNPUBLISHED = "none yet: not sold until “Publish”"


class ShelfAct(Act):
    """A button on what is sold. A price that is named is looked up at the provider's before anything is shown."""

    flag: ClassVar[int] = CHANGE

    def cost(self, data: dict[str, Any]) -> Cost:
        """Return what the provider's price must be."""
        raise NotImplementedError

    def preview(self, form: forms.Form, confirmation: Confirmation, *, changed: bool = False) -> HttpResponse:
        """Show what would change. Raises InvalidField where the price that is named is another."""
        reference = form.cleaned_data.get("price_reference")
        if reference:
            shelf.check_price(reference, self.cost(form.cleaned_data))
        return super().preview(form, confirmation, changed=changed)

    def hold(self, once: Once, data: dict[str, Any]) -> Any:
        """Return what there is to change."""
        once.check(once.find())
        return self.look(data)

    def record(self, done: Any, data: dict[str, Any]) -> None:
        """Log it, with what was and what is."""
        words = self.said(done, data)
        LogEntry.objects.log_actions(self.actor.id, [done], self.flag, words)
        told = Told(
            subject=f"{done._meta.verbose_name} {done.pk}".capitalize(), note=data.get("note") or "",
            before={change.label: change.before for change in self.changes},
            after={change.label: change.after for change in self.changes},
            request_id=request_id(self.request),
        )  # fmt: skip
        record_act(actor=self.actor, action=f"{self.path}-{done._meta.model_name}", what=words, told=told)


class NewPack(ShelfAct):
    path, title, permission = "new", "New pack", "billing.add_pack"
    does = "Credits that can be bought from now on, once they have a price at the provider's."
    form_class = NewPackForm
    flag = ADDITION

    @property
    def places(self) -> int:
        """Those of the unit that is asked for."""
        known = Unit.objects.filter(pk=self.request.POST.get("unit", "").replace("\0", "")).first()
        return known.decimal_places if known else DECIMAL_PLACES

    def cost(self, data: dict[str, Any]) -> Cost:
        """Return what it costs, once."""
        return Cost(terms_of(data).price_minor, data["currency"])

    def look(self, data: dict[str, Any]) -> bool:
        """Return whether there is a pack of that code. Raises InvalidField for figures that are too fine."""
        terms_of(data)
        return Pack.objects.filter(pk=data["code"]).exists()

    def figures(self, state: Any, data: dict[str, Any]) -> str:
        """Return a digest of what was looked at."""
        return digest([state])

    def foresee(self, state: Any, data: dict[str, Any]) -> list[Change]:
        if state:
            raise InvalidField("code", "There is a pack of that code already.")
        after = shown(terms_of(data), data["price_reference"])
        return [Change(label, show.EMPTY, value, "new") for label, value in after.items()]

    def act(self, once: Once, data: dict[str, Any]) -> Pack:
        reference = data["price_reference"]
        return shelf.put_pack(once=once, code=data["code"], terms=terms_of(data), price_reference=reference)

    def said(self, done: Any, data: dict[str, Any]) -> str:
        return f"Added the pack {done.pk}: {done.name}."


class OfPack(ShelfAct):
    """A button on the page of a pack."""

    permission = "billing.change_pack"

    def __init__(self, admin: Any, request: HttpRequest, object_id: str) -> None:
        super().__init__(admin, request)
        row = admin.get_object(request, object_id)
        if row is None:
            raise Http404("There is no such pack.")
        self.row: Pack = row

    @property
    def subject(self) -> Pack:
        """The pack."""
        return self.row

    @property
    def heading(self) -> str:
        """What the page is called."""
        return f"{self.title}: {self.row.name}"

    @property
    def home(self) -> str:
        """The page of the pack."""
        return show.page_of(Pack, self.row.pk)

    def look(self, data: dict[str, Any]) -> Pack:
        """Return the pack as it is."""
        return Pack.objects.get(pk=self.row.pk)

    def hold(self, once: Once, data: dict[str, Any]) -> Pack:
        """Return the pack, locked."""
        pack = shelf.lock_pack(self.row.pk)
        once.check(once.find())
        return pack

    def figures(self, state: Any, data: dict[str, Any]) -> str:
        """Return a digest of the pack as it was shown."""
        return digest([*shown(terms_of_pack(state), state.price_reference).values(), state.active])


class ChangePack(OfPack):
    path, title = "edit", "Change the pack"
    does = "From now on it is sold on these terms. Pages that are open keep theirs, and so do those who have bought."
    form_class = PackForm

    def form(self, data: Any = None) -> forms.Form:
        row = self.row
        now = {
            "name": row.name, "credits": say(row.credits), "currency": row.currency,
            "price": f"{Decimal(row.price_minor).scaleb(-places_of(row.currency)):f}",
            "expires_after_days": row.expires_after_days, "price_reference": row.price_reference,
        }  # fmt: skip
        return PackForm(data, initial=now)

    @property
    def places(self) -> int:
        """Those of the pack's unit."""
        return decimal_places(self.row.unit_id)

    def cost(self, data: dict[str, Any]) -> Cost:
        """Return what it is to cost, once."""
        return Cost(self.terms(data).price_minor, data["currency"])

    def terms(self, data: dict[str, Any]) -> Terms:
        """Return the terms that are asked for."""
        return terms_of({**data, "unit": self.row.unit_id})

    def reference(self, state: Pack, data: dict[str, Any]) -> str:
        """Return the price that is asked for: that of other terms is not kept."""
        terms, named = self.terms(data), str(data["price_reference"])
        same = (terms.price_minor, terms.currency) == (state.price_minor, state.currency)
        return named if same or named != state.price_reference else ""

    def preview(self, form: forms.Form, confirmation: Confirmation, *, changed: bool = False) -> HttpResponse:
        """Show what would change. The price that it has is judged only where it is to be kept."""
        reference = self.reference(self.look(form.cleaned_data), form.cleaned_data)
        if reference and reference != self.row.price_reference:
            shelf.check_price(reference, self.cost(form.cleaned_data))
        return Act.preview(self, form, confirmation, changed=changed)

    def foresee(self, state: Any, data: dict[str, Any]) -> list[Change]:
        before = shown(terms_of_pack(state), state.price_reference)
        after = shown(self.terms(data), self.reference(state, data))
        changes = [Change(label, before[label], value) for label, value in after.items() if value != before[label]]
        if not changes:
            raise InvalidField("name", "Nothing would change.")
        return changes

    def act(self, once: Once, data: dict[str, Any]) -> Pack:
        reference = self.reference(self.look(data), data)
        return shelf.change_pack(once=once, code=self.row.pk, terms=self.terms(data), price_reference=reference)

    def said(self, done: Any, data: dict[str, Any]) -> str:
        return f"Changed the pack {done.pk}: {', '.join(change.label.lower() for change in self.changes)}."


class SellPack(OfPack):
    path, title, asks = "retire", "Retire or sell again", False
    does = "Takes the pack off the shelf, or puts it there again. What was bought, or is being paid for, stays."
    form_class = forms.Form

    def foresee(self, state: Any, data: dict[str, Any]) -> list[Change]:
        words = ("sold", "retired") if state.active else ("retired", "sold")
        buying = AutoTopUp.objects.filter(pack=state, enabled=True).count()
        goes_on = Change("Auto top-ups that buy it", f"{buying:,}", f"{buying:,}", "go on until they are changed")
        return [Change(state.name, *words), *([goes_on] if buying else [])]

    def act(self, once: Once, data: dict[str, Any]) -> Pack:
        return shelf.sell_pack(once=once, code=self.row.pk, sold=not self.look(data).active)

    def said(self, done: Any, data: dict[str, Any]) -> str:
        return f"{done.name} is sold again." if done.active else f"{done.name} is no longer sold."


class MapPrice(ShelfAct):
    path, title, permission = "new", "Map a price", "billing.add_planprice"
    does = "Says which of the provider's prices pays for a plan's version. It cannot be said otherwise later."
    form_class = MapForm
    flag = ADDITION

    @property
    def places(self) -> int:
        """Those of the unit that is asked for."""
        known = Unit.objects.filter(pk=self.request.POST.get("unit", "").replace("\0", "")).first()
        return known.decimal_places if known else DECIMAL_PLACES

    def cost(self, data: dict[str, Any]) -> Cost:
        """Return what the version costs."""
        return cost_of(data["version"])

    def look(self, data: dict[str, Any]) -> list[str]:
        """Return what stands in the way."""
        version, price = data["version"], data["price_reference"]
        taken = PlanPrice.objects.filter(plan_version=version) | PlanPrice.objects.filter(price_reference=price)
        return [str(row) for row in taken]

    def figures(self, state: Any, data: dict[str, Any]) -> str:
        """Return a digest of what was looked at."""
        return digest(state)

    def foresee(self, state: Any, data: dict[str, Any]) -> list[Change]:
        if state:
            raise InvalidField("price_reference", f"That is said already: {state[0]}.")
        version = data["version"]
        return [Change(f"{version}, {cost_of(version)}", show.EMPTY, data["price_reference"], "new")]

    def act(self, once: Once, data: dict[str, Any]) -> PlanPrice:
        return shelf.map_price(once=once, version=data["version"], price_reference=data["price_reference"])

    def said(self, done: Any, data: dict[str, Any]) -> str:
        return f"{done.plan_version} is paid for by {done.price_reference}."


def terms_of(data: dict[str, Any]) -> Terms:
    """Return the terms that were filled in. Raises InvalidField for figures that are too fine."""
    minor, places = data["price"].scaleb(places_of(data["currency"])), decimal_places(data["unit"])
    if minor % 1:
        raise InvalidField("price", f"{data['currency']} has {places_of(data['currency'])} decimal places.")
    if data["credits"] != round(data["credits"], places):
        raise InvalidField("credits", f"{data['unit']} have at most {places} decimal places.")
    return Terms(
        name=data["name"], credits=data["credits"], price_minor=int(minor), currency=data["currency"],
        unit=data["unit"], expires_after_days=data["expires_after_days"],
    )  # fmt: skip


def terms_of_pack(pack: Pack) -> Terms:
    """Return the terms that a pack is sold on."""
    return Terms(pack.name, pack.credits, pack.price_minor, pack.currency, pack.unit_id, pack.expires_after_days)


def shown(terms: Terms, reference: str) -> dict[str, str]:
    """Return terms for people, by their names."""
    days = terms.expires_after_days
    return {
        "Name": terms.name,
        "Brings": str(show.amount(terms.credits, terms.unit)),
        "Costs": str(Cost(terms.price_minor, terms.currency)),
        "Lasts": f"{days:,} days" if days else "for ever",
        "Price at the provider's": reference or UNPUBLISHED,
    }
