"""Price files: CSV or JSON, read line by line. Pure: no database and no clock.

A CSV has a heading and a price a line; ``COLUMNS`` names what it may have. JSON is a list of objects as
``POST /api/v1/prices`` takes them. Every line is judged, so that all that is wrong is told at once.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from credits import refusals
from credits.models.prices import PriceScheme
from credits.plan.terms import FEATURE_CODE, stored

MOST_BYTES = 1024 * 1024
MOST_LINES = 10_000
TEXTS = {"unit": 20, "feature": 100, "model": 100, "scheme": 9, "note": 255}
FIGURES = ("amount", "per", "tiers", "input", "output", "cached_input", "reasoning")
COLUMNS = (*TEXTS, *FIGURES, "effective_at")
NAMES = (*TEXTS, "terms", "effective_at")


class Subject(NamedTuple):
    """What a price is of: a feature or a model, in a unit."""

    unit: str
    feature: str
    model: str

    def __str__(self) -> str:
        return f"{self.feature or self.model} in {self.unit}"


@dataclass(frozen=True, slots=True)
class Line:
    """A price as a file asks for it. ``terms`` are as they are kept; without ``effective_at`` it is from now on."""

    number: int
    subject: Subject
    scheme: str
    terms: dict[str, Any]
    effective_at: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a line."""

    number: int
    says: str


@dataclass(frozen=True, slots=True)
class PriceFile:
    """What a file says, and what of it cannot be meant."""

    lines: list[Line] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


class Unreadable(refusals.InvalidField):
    """A file that is no price list, so that no line of it can be told."""

    def __init__(self, detail: str) -> None:
        super().__init__("file", detail)


def read(data: bytes, *, units: Collection[str], default_unit: str) -> PriceFile:
    """Read a price list, CSV or JSON. A line without a unit is in the default one. Raises Unreadable."""
    if len(data) > MOST_BYTES:
        raise Unreadable(f"A price list has at most {MOST_BYTES // 1024} kB.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("The file is not text in UTF-8.") from None
    items = _json_items(text) if text.lstrip()[:1] in {"[", "{"} else _csv_items(text)
    found = PriceFile()
    for number, item in items:
        if len(found.lines) + len(found.faults) == MOST_LINES:
            raise Unreadable(f"A price list has at most {MOST_LINES:,} lines.")
        try:
            found.lines.append(line_of(number, item, units=units, default_unit=default_unit))
        except refusals.InvalidField as wrong:
            named = "" if wrong.field == "terms" else f"{wrong.field}: "
            found.faults.append(Fault(number, f"{named}{wrong.detail}"))
    if not found.lines and not found.faults:
        raise Unreadable("The file has no prices.")
    return found


def line_of(number: int, item: Any, *, units: Collection[str], default_unit: str) -> Line:
    """Return a price that an object asks for. Raises InvalidField naming what is wrong with it."""
    if not isinstance(item, dict):
        raise refusals.InvalidField("terms", "An object is required.")
    unknown = sorted(set(item) - set(NAMES))
    if unknown:
        raise refusals.InvalidField(unknown[0], "There is no such field here.")
    unit, feature, model, scheme, note = (_text(item, name, most) for name, most in TEXTS.items())
    subject = Subject(unit or default_unit, feature, model)
    if subject.unit not in units:
        raise refusals.InvalidField("unit", f"There is no unit {subject.unit}.")
    if bool(feature) == bool(model):
        raise refusals.InvalidField("feature", "Price a feature or a model, one of the two.")
    if feature and not FEATURE_CODE.fullmatch(feature):
        raise refusals.InvalidField("feature", "A feature's code has small letters, digits, . _ and -.")
    if scheme not in PriceScheme.values:
        raise refusals.InvalidField("scheme", f"The scheme is one of {', '.join(PriceScheme.values)}.")
    terms = item.get("terms", {})
    if not isinstance(terms, dict):
        raise refusals.InvalidField("terms", "The terms are an object.")
    return Line(number, subject, scheme, stored(scheme, terms), _moment(item.get("effective_at")), note)


def _json_items(text: str) -> Iterator[tuple[int, Any]]:
    try:
        items = json.loads(text, parse_float=Decimal, parse_constant=Decimal, object_pairs_hook=_named_once)
    except (ValueError, RecursionError, ArithmeticError):
        raise Unreadable("The file is not valid JSON, or names something twice.") from None
    if not isinstance(items, list):
        raise Unreadable("The file must be a list of prices.")
    yield from enumerate(items, start=1)


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named = dict(pairs)
    if len(named) != len(pairs):
        raise ValueError("named twice")
    return named


def _csv_items(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each line that is not blank, under the number it has in the file."""
    head = text.split("\n", 1)[0]
    # Spreadsheets of half of Europe write semicolons.
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=";" if head.count(";") > head.count(",") else ",")
    try:
        names = [name.strip().lower() for name in next(rows, [])]
        if "scheme" not in names or len(set(names)) != len(names) or not set(names) <= set(COLUMNS):
            raise Unreadable(f"The first line names the columns, scheme and others of {', '.join(COLUMNS)}, each once.")
        for cells in rows:
            if any(cell.strip() for cell in cells):
                yield rows.line_num, _item(names, [cell.strip() for cell in cells])
    except csv.Error as error:
        raise Unreadable(f"Line {rows.line_num} is not CSV: {error}.") from None


def _item(names: list[str], cells: list[str]) -> dict[str, Any]:
    """Return a line of a CSV as the object it stands for. Faults are left in it for ``line_of`` to tell."""
    if any(cells[len(names) :]):
        return {"more cells than columns": True}
    said = {name: cell for name, cell in zip(names, cells, strict=False) if cell}
    terms: dict[str, Any] = {name: said.pop(name) for name in FIGURES if name in said}
    if "tiers" in terms:
        try:
            terms["tiers"] = json.loads(terms["tiers"], parse_float=Decimal, parse_constant=Decimal)
        except (ValueError, RecursionError, ArithmeticError):
            terms["tiers"] = None
    return {**said, "terms": terms}


def _text(item: dict[str, Any], name: str, most: int) -> str:
    text = item.get(name, "")
    if not isinstance(text, str) or len(text) > most:
        raise refusals.InvalidField(name, f"A text of at most {most} characters is required.")
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise refusals.InvalidField(name, "Text may hold no NUL and no lone surrogate.")
    return text.strip()


def _moment(said: Any) -> datetime | None:
    if said is None or said == "":
        return None
    try:
        moment = datetime.fromisoformat(said)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise refusals.InvalidField("effective_at", "Write a time with its zone, for example 2027-01-01T00:00:00Z.")
    return moment
