"""An account's movements in words, a page at a time.

A page begins behind a movement's number, so that the thousandth costs what the first does. A filter looks at so many
movements at a time: where they do not fill a page, the next address goes on from where it stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.http import QueryDict
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from credits.admin import show
from credits.admin.forms import DayField
from credits.admin.legs import between
from credits.admin.lots import in_words, reference, with_orders
from credits.admin.lots import name as lot_name
from credits.models import Account, Grant, Price, Transaction, TransactionKind
from credits.models.memo import Reason
from credits.plan.allotments import BEYOND
from credits.queries import last_before
from credits.services.history import draws_of

ROWS = 25
# So many movements a filter looks at before it asks whether to go on.
LOOKED_AT = 20_000
# The last day that has one behind it.
LAST = date(9999, 12, 30)
# So long an id stands on a line by itself.
SHORT = 16
FOR = {
    TransactionKind.TOPUP: "bought",
    TransactionKind.PLAN: "by",
    TransactionKind.TRIAL: "of a trial",
    TransactionKind.PROMOTION: "given",
    TransactionKind.ORDER: "from an order",
    TransactionKind.USAGE: "for",
    TransactionKind.CAPTURE: "captured of a hold, for",
    TransactionKind.REFUND: "refunded",
    TransactionKind.ADJUSTMENT: "adjusted",
    TransactionKind.EXPIRY: "expired",
    TransactionKind.TRANSFER: "transferred",
    TransactionKind.CLAWBACK: "taken back",
    TransactionKind.REVERSAL: "reversed",
}


class FilterForm(forms.Form):
    """What of an account's movements is told."""

    kind = forms.ChoiceField(
        choices=[("", "Any kind"), *TransactionKind.choices], required=False, widget=UnfoldAdminSelectWidget
    )
    feature = forms.CharField(max_length=100, required=False, widget=UnfoldAdminTextInputWidget)
    reference = forms.CharField(max_length=255, required=False, widget=UnfoldAdminTextInputWidget)
    since = DayField(label="From", required=False)
    until = DayField(label="To", required=False)
    before = forms.IntegerField(required=False, min_value=1, max_value=2**62, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        """Refuse days that end before they begin: nothing would fit, whatever there is."""
        data = super().clean() or {}
        since, until = data.get("since"), data.get("until")
        if since and until and until < since:
            raise forms.ValidationError("From is later than To.")
        return data


@dataclass(frozen=True, slots=True)
class Page:
    """The movements of a page, and the address of what is older."""

    rows: list[Transaction]
    older: str
    filtered: bool
    form: FilterForm
    # Down to when the filter has looked, where it has not found a page.
    looked_to: SafeString | str = ""


def page(account: Account, asked: QueryDict) -> Page:
    """Return the movements that are asked for, newest first. A filter that makes no sense is left out."""
    form = FilterForm(asked or None)
    wanted = form.cleaned_data if form.is_bound and form.is_valid() else {}
    top = min(wanted.get("before") or account.sequence + 1, account.sequence + 1)
    rows = Transaction.objects.filter(account=account.pk, sequence__lt=top).select_related("price")
    filters = _filters(wanted)
    if reference := wanted.get("reference", "").replace("\0", ""):
        rows = rows.filter(reference_id=reference)
    bottom = 0
    if filters and not reference:
        top, bottom = _span(account, wanted, top)
        rows = rows.filter(sequence__lt=top, sequence__gte=bottom)
    found = list(rows.filter(**filters).order_by("-sequence")[: ROWS + 1])
    last = found[ROWS - 1].sequence if len(found) > ROWS else bottom if bottom > 1 else 0
    kept = {name: asked[name] for name in ("kind", "feature", "reference", "since", "until") if asked.get(name)}
    older = urlencode({**kept, "before": last}) if last else ""
    short = len(found) <= ROWS and bottom > 1
    looked = Transaction.objects.filter(account=account.pk, sequence=bottom).first() if short else None
    return Page(found[:ROWS], older, bool(kept), form, show.moment_tag(looked.recorded_at) if looked else "")


def _filters(wanted: dict[str, Any]) -> dict[str, Any]:
    filters: dict[str, Any] = {name: wanted[name] for name in ("kind", "feature") if wanted.get(name)}
    if wanted.get("since"):
        filters["recorded_at__gte"] = _midnight(wanted["since"])
    if wanted.get("until"):
        filters["recorded_at__lt"] = _midnight(min(wanted["until"], LAST)) + timedelta(days=1)
    return filters


def _midnight(day: Any) -> datetime:
    return datetime(max(day.year, 2), day.month, day.day, tzinfo=timezone.get_current_timezone())


def _span(account: Account, wanted: dict[str, Any], top: int) -> tuple[int, int]:
    """Return between which numbers to look: days lead to numbers by an index."""
    if wanted.get("until"):
        top = min(top, last_before(account.pk, _midnight(min(wanted["until"], LAST)) + timedelta(days=1)) + 1)
    since = last_before(account.pk, _midnight(wanted["since"])) + 1 if wanted.get("since") else 1
    bottom = max(top - LOOKED_AT, since)
    return top, bottom if bottom > since else 0


def lots_of(rows: list[Transaction], account: Account, *, most: int) -> tuple[list[Grant], dict[UUID, Grant]]:
    """Return an account's first lots, the open ones before the others, and with them those that movements drew on."""
    drawn = {lot for row in rows for lot, _ in draws_of(row.draws)}
    first = with_orders(Grant.objects.filter(account=account.pk)).order_by("-is_open", "-id")[:most]
    found = list(first.union(with_orders(Grant.objects.filter(pk__in=drawn))) if drawn else first)
    found.sort(key=lambda lot: (lot.is_open, lot.pk), reverse=True)
    return found[:most], {lot.pk: lot for lot in found}


def told(row: Transaction, lots: dict[UUID, Grant], unit: str, other: Account | None = None) -> SafeString:
    """Return a movement as a sentence. ``other`` is the account at the other end of a transfer."""
    kind, said = FOR[TransactionKind(row.kind)], _what(row)
    if other is not None:
        kind = format_html("{} {}", kind, between(row, other))
    what: SafeString | str = format_html("{} {}", kind, said) if said else kind
    if row.price is not None:
        what = format_html("{} at {}", what, show.link(Price, row.price.pk, f"price v{row.price.version}"))
    parts: list[SafeString | str] = [what]
    drawn = [(lot, part) for lot, part in draws_of(row.draws) if lot in lots]
    if drawn:
        names = format_html_join(" and ", "{}{}", [_lot(lots[lot], part, unit, len(drawn)) for lot, part in drawn[:4]])
        more = f" and {len(drawn) - 4} more" if len(drawn) > 4 else ""
        parts.append(format_html("{} {}{}", "from" if row.amount < 0 else "to", names, more))
    if row.parent_id:
        parts.append(format_html("answering {}", show.link(Transaction, row.parent_id, show.short(row.parent_id))))
    parts += [format_html("{} {}", label.lower(), show.apart(text)) for label, text in _why(row)]
    if row.request_id:
        request = show.apart(_short(row.request_id))
        parts.append(format_html('request <span title="{}">{}</span>', row.request_id, request))
    parts.append(_who(row))
    return format_html_join(", ", "{}", ((part,) for part in parts))


def _why(row: Transaction) -> list[tuple[str, SafeString | str]]:
    """Return what was said of why: pairs of a label and a text, without the empty ones."""
    ticket = str(row.metadata.get("ticket", "")) if isinstance(row.metadata, dict) else ""
    said: list[tuple[str, SafeString | str]] = [
        ("Reason", dict(Reason.choices).get(row.reason, row.reason)),
        # A short one is not torn at its hyphen.
        ("Ticket", format_html('<span class="f-nowrap">{}</span>', ticket) if 0 < len(ticket) <= SHORT else ticket),
        (
            "As" if in_words(row.reference_type, row.reference_id) else "Reference",
            reference(row.reference_type, row.reference_id),
        ),
    ]
    return [(label, text) for label, text in said if text]


def _what(row: Transaction) -> SafeString | str:
    if row.kind == TransactionKind.PLAN:
        return show.apart(row.description) or "the plan"
    if row.kind == TransactionKind.EXPIRY:
        # The lot that it is from says it all, but for what lapses before it has to.
        return f"({row.description})" if row.description.startswith(BEYOND) else ""
    used = show.used(row.usage, row.feature) if row.usage else row.feature
    if used:
        words = format_html(" ({})", show.apart(row.description)) if row.description else ""
        return format_html("{}{}", show.apart(used), words)
    # A charge that says nothing of itself is still a charge.
    said = "use" if row.kind in {TransactionKind.USAGE, TransactionKind.CAPTURE} else ""
    return show.apart(row.description) or said


def _lot(lot: Grant, part: Any, unit: str, count: int) -> tuple[SafeString, str]:
    return show.link(Grant, lot.pk, lot_name(lot)), f" ({show.amount(part, unit, signed=True)})" if count > 1 else ""


def _short(request: str) -> str:
    return request if len(request) <= SHORT else f"{request[:8]}…"


def _who(row: Transaction) -> SafeString:
    name = show.apart(row.actor_name or row.actor_id or "Florin")
    return format_html({"key": "by key {}", "staff": "by {} of staff"}.get(row.actor_kind, "by {}"), name)
