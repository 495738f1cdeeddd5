"""New prices: one by a form, many by a file. Both are compared with the price list and added by the same service."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib.admin.models import ADDITION, LogEntry

from credits import pricefile, refusals
from credits.admin import show
from credits.admin.acts import Act
from credits.admin.logged import request_id
from credits.admin.previews import Change
from credits.admin.price_forms import PriceFileForm, PriceForm, item_of
from credits.models import Price, Unit
from credits.pricefile import PriceFile
from credits.pricelist import Diff, State
from credits.services.once import Once
from credits.services.price_lists import compare_price_file, import_price_file, read_price_file
from credits.services.prices import lock_price_list
from credits.services.staff import Told, record_act


class PriceAct(Act):
    """A button on the price list."""

    def file(self, data: dict[str, Any]) -> PriceFile:
        """Return the prices that are asked for. Raises InvalidField."""
        raise NotImplementedError

    def look(self, data: dict[str, Any]) -> Diff:
        """Return what would change."""
        return compare_price_file(self.file(data))

    def hold(self, once: Once, data: dict[str, Any]) -> Diff:
        """Return what would change, with the price list locked."""
        lock_price_list()
        once.check(once.find())
        return self.look(data)

    def figures(self, state: Any, data: dict[str, Any]) -> str:
        """Return a digest of the comparison."""
        digest: str = state.digest()
        return digest

    def act(self, once: Once, data: dict[str, Any]) -> list[Price]:
        return import_price_file(once=once, file=self.file(data), actor=self.request.user.get_username())

    def record(self, done: Any, data: dict[str, Any]) -> None:
        """Log it with each price."""
        words = f"{self.title}{f': {name}' if (name := data.get('name')) else ''}."
        LogEntry.objects.log_actions(self.actor.id, done, ADDITION, words)
        told = Told(
            subject=", ".join(str(row) for row in done[:5]), note=data.get("note") or "",
            before={change.label: change.before for change in self.changes},
            after={change.label: change.after for change in self.changes},
            request_id=request_id(self.request),
        )  # fmt: skip
        record_act(actor=self.actor, action=f"{self.path}-price", what=f"{words} {self.said(done, data)}", told=told)

    def said(self, done: Any, data: dict[str, Any]) -> str:
        return f"Added {len(done):,} prices." if len(done) != 1 else f"Added {done[0]}."


class NewPrice(PriceAct):
    path, title, permission = "new", "New price", "add_price"
    does = "A new version. What was charged before stays as it was."
    form_class = PriceForm

    def form(self, data: Any = None) -> forms.Form:
        asked = {name: self.request.GET[name] for name in ("feature", "model", "unit") if name in self.request.GET}
        return PriceForm(data, initial={"unit": settings.DEFAULT_UNIT, **asked})

    def file(self, data: dict[str, Any]) -> PriceFile:
        """Return the one price that is asked for. Raises InvalidField."""
        units = set(Unit.objects.values_list("pk", flat=True))
        line = pricefile.line_of(1, item_of(data), units=units, default_unit=settings.DEFAULT_UNIT)
        return PriceFile([line])

    def foresee(self, state: Any, data: dict[str, Any]) -> list[Change]:
        if state.faults:
            raise refusals.InvalidField("effective_at", state.faults[0].says)
        [entry] = state.entries
        if entry.state == State.UNCHANGED:
            raise refusals.InvalidField("scheme", "That is its price already.")
        begins = entry.line.effective_at
        return [
            Change(
                str(entry.line.subject),
                str(entry.before) if entry.before else "No price",
                entry.words,
                f"from {show.utc(begins)}" if begins else "from now on",
            )
        ]

    def asked(self, form: forms.Form) -> list[tuple[str, str]]:
        """Return what was filled in; the preview says the figures."""
        return [("Note", form.cleaned_data["note"])] if form.cleaned_data["note"] else []


class ImportPrices(PriceAct):
    path, title, permission = "import", "Import a price list", "import_prices"
    does = "Each line is checked and compared with what is in force. Nothing is written before you confirm."
    form_class = PriceFileForm
    templates: ClassVar[dict[str, str]] = {
        "form": "admin/credits/price/import_form.html",
        "preview": "admin/credits/price/import_preview.html",
    }

    def form(self, data: Any = None) -> forms.Form:
        return PriceFileForm(data, self.request.FILES if data is not None else None)

    def file(self, data: dict[str, Any]) -> PriceFile:
        """Return the prices of the file. Raises Unreadable."""
        return read_price_file(data["content"])

    def foreseen(self, state: Any, data: dict[str, Any]) -> dict[str, Any]:
        """Return the lines by what they would do."""
        lines = {f"{each}_lines": [entry for entry in state.entries if entry.state == each] for each in State}
        wrong = bool(state.faults)
        return {**lines, "diff": state, "wrong": wrong, "nothing": wrong or not state.changing}

    def told(self, data: dict[str, Any]) -> list[Change]:
        """Return nothing: the file's lines are rows of their own."""
        return []

    def asked(self, form: forms.Form) -> list[tuple[str, str]]:
        """Return which file it is."""
        return [("File", form.cleaned_data["name"])]
