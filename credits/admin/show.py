"""How amounts, moments, states and people read. HTML only through format_html, so that text stays text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Model
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from credits import moments, texts, units
from credits.amounts import grouped, say_money
from credits.models import AccountStatus, Hold, HoldStatus
from credits.models.memo import ActorKind, MemoFields
from credits.pricelist import TOKEN_WORDS

EMPTY = moments.EMPTY
# Moments have one door: it stands below the admin, where templates find it too.
moment, utc, in_zone = moments.moment, moments.utc, moments.in_zone
moment_tag, day_tag, exactly = moments.moment_tag, moments.day_tag, moments.exactly
# So have texts of callers.
apart, unturned = texts.apart, texts.unturned
COLOUR_OF_ACCOUNT = {AccountStatus.ACTIVE: "success", AccountStatus.FROZEN: "warning", AccountStatus.CLOSED: "default"}
COLOUR_OF_HOLD = {
    HoldStatus.OPEN: "info",
    HoldStatus.CAPTURED: "success",
    HoldStatus.RELEASED: "default",
    HoldStatus.TIMED_OUT: "warning",
}
COLOUR_OF_KIND = {
    "topup": "success",
    "plan": "success",
    "trial": "success",
    "promotion": "success",
    "order": "success",
    "usage": "default",
    "capture": "default",
    "refund": "info",
    "adjustment": "warning",
    "expiry": "danger",
    "transfer": "info",
    "clawback": "danger",
    "reversal": "warning",
}


def amount(value: Decimal, unit: str, *, signed: bool = False) -> str:
    """Return an amount for people: 1,234.50 USD reads 1,234.50, and 1,000 credits 1,000. Never rounded."""
    text = f"{value:{'+' if signed and value else ''},.6f}".replace("-", "−")
    whole, fraction = text.split(".")
    least = min(units.decimal_places(unit), 2)
    fraction = fraction.rstrip("0").ljust(least, "0")
    return f"{whole}.{fraction}" if fraction else whole


def written(value: Decimal, unit: str) -> str:
    """Return an amount for files: the figure that people are shown, in plain digits. Never rounded."""
    return amount(value, unit).replace(",", "").replace("−", "-")


def money(minor: int, currency: str) -> str:
    """Return an amount of money, in minor units, as a figure for people: 1,234.50. Its currency stands elsewhere."""
    return say_money(minor, currency).partition(" ")[0].replace("-", "−")


def quantity(value: Decimal) -> str:
    """Return a plain number for people: −1,000 or 0.000125. Never rounded."""
    return grouped(value).replace("-", "−")


def many(count: int, thing: str) -> str:
    """Return so many things: 1 open lot, 1,200 open lots."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def used(usage: Mapping[str, Any], feature: str) -> str:
    """Return what was used, as a charge keeps it: 3 × ml-analysis, or gpt-5: 1,200 in, 300 out."""
    model = usage.get("model", "")
    tokens = [
        f"{usage[f'{kind}_tokens']:,} {word}" for kind, word in TOKEN_WORDS.items() if usage.get(f"{kind}_tokens")
    ]
    if tokens:
        return f"{model or feature}: {', '.join(tokens)}"
    return f"{quantity(Decimal(usage.get('quantity', 1)))} × {model or feature}"


def figure(value: Decimal, unit: str, *, signed: bool = False) -> SafeString:
    """Return an amount as a right-aligned figure; a loss is marked."""
    mark = " f-loss" if value < 0 else " f-gain" if signed and value > 0 else ""
    return format_html('<span class="f-figure{}">{}</span>', mark, amount(value, unit, signed=signed))


def in_unit(value: Decimal, unit: str) -> SafeString:
    """Return an amount as a figure with its unit."""
    return format_html('<span class="f-nowrap">{} <span class="f-unit">{}</span></span>', figure(value, unit), unit)


def moment_of(field: str, label: str) -> Callable[[Any, Any], SafeString | str]:
    """Return a column or field of an admin that tells a moment of a row."""

    @admin.display(description=label)
    def told(_page: Any, row: Any) -> SafeString | str:
        return moment_tag(getattr(row, field))

    return told


def text_of(field: str, label: str) -> Callable[[Any, Any], SafeString | str]:
    """Return a column or field of an admin that tells a text of a row, or that there is none."""

    @admin.display(description=label)
    def told(_page: Any, row: Any) -> SafeString | str:
        text = getattr(row, field)
        return apart(text) if text else EMPTY

    return told


def link_at(model: type[Model], pk: object, value: datetime) -> SafeString:
    """Return a link to a row's page, by its moment."""
    return format_html('<a class="f-link" href="{}">{}</a>', page_of(model, pk), moment_tag(value))


def times_out(hold: Hold) -> SafeString | str:
    """Return when a hold times out: a freeze ends with its dispute, whenever that is."""
    return "until the bank decides" if hold.freezes_id else moment_tag(hold.expires_at)


def badge(text: str, colour: str) -> SafeString:
    """Return a coloured label."""
    return render_to_string("unfold/helpers/label.html", {"text": text, "variant": colour, "size": "md"})


def page_of(model: type[Model], pk: object) -> str:
    """Return the address of a row's page."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[pk])


def link(model: type[Model], pk: object, text: str) -> SafeString:
    """Return a link to a row's page."""
    return format_html('<a class="f-link" href="{}">{}</a>', page_of(model, pk), apart(text))


def short(pk: UUID) -> str:
    """Return the end of an id: the part in which ids of the same moment differ."""
    return f"…{str(pk)[-8:]}"


def actor(row: MemoFields) -> str:
    """Return who did it: the person or key as it was named then."""
    name = row.actor_name or row.actor_id
    return name if row.actor_kind == ActorKind.SYSTEM else f"{name} ({ActorKind(row.actor_kind).label})"
