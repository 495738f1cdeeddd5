"""What a lot is called, and what it came from, in words: the same wherever it is told."""

from __future__ import annotations

from django.db.models import BigIntegerField, F, Func, OuterRef, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Cast
from django.utils.html import format_html
from django.utils.safestring import SafeString

from credits.admin import show
from credits.models import Allotment, Grant, GrantCategory
from credits.plan import Lot
from credits.plan.allotments import REFERENCE

ROLLS = "From month to month, up to the plan's cap: what is beyond it lapses as the next month begins."
# The kind of reference of what staff grants for an expiry, by whose movement it is called.
ANEW = "granted-anew"
ORDER = Value("^allotment:([0-9]{1,18}):", output_field=TextField())


def name(lot: Grant) -> str:
    """Return a lot as people call it: the paid lot of October 2026."""
    return str(lot)


def name_of_new(lot: Lot) -> str:
    """Return what a lot that is only planned is called."""
    return f"New {GrantCategory(lot.category).label.lower()} lot"


def with_orders(rows: QuerySet[Grant]) -> QuerySet[Grant]:
    """Add ``ordered``: what the standing order is called that a lot came from."""
    number = Func(F("source"), Cast(ORDER, TextField()), function="substring", output_field=TextField())
    order = Allotment.objects.filter(pk=OuterRef("order_number"), account=OuterRef("account"))
    return rows.alias(order_number=Cast(number, BigIntegerField())).annotate(
        ordered=Subquery(order.values("description")[:1])
    )


def source(lot: Grant) -> SafeString | str:
    """Return what a lot came from, in words, as written on hover. The lot comes from ``with_orders``."""
    words = in_words(*lot.source.split(":", 1), ordered=getattr(lot, "ordered", None) or "")
    if words is None:
        return lot.source
    return format_html('<span title="{}">{}</span>', lot.source, f"{words}, {lot.created_at:%B %Y}")


def reference(kind: str, of: str) -> SafeString | str:
    """Return what a movement refers to, in words where it is something of ours."""
    words = in_words(kind, of)
    raw = f"{kind} {of}".strip()
    return raw if words is None else format_html('<span title="{}">{}</span>', raw, words.lower())


def in_words(kind: str, of: str = "", *, ordered: str = "") -> str | None:
    """Return what a reference of ours means; None where it is a caller's and says it by itself."""
    if kind == "allotment" and of:
        what = f" of {ordered.removeprefix('Plan ')}" if ordered else ""
        return f"Change of plan: credits{what}" if ":change-" in of else f"Monthly credits{what}"
    if kind == "subscription" and of.endswith(":trial"):
        return "Trial of a plan"
    if kind == ANEW:
        return "Granted anew: it had expired"
    return None


def until(lot: Grant) -> SafeString | str:
    """Return when what is left of a lot expires; never, or not before its plan's cap cuts it."""
    if lot.expires_at is not None:
        return show.moment_tag(lot.expires_at)
    if lot.category == GrantCategory.PLAN and lot.source.startswith(f"{REFERENCE}:"):
        return format_html('<span title="{}">Rolls over</span>', ROLLS)
    return "Never"


def expiry(lot: Lot) -> str:
    """Return when a lot expires, to stand behind its name."""
    return f", expires {show.utc(lot.expires_at)}" if lot.expires_at else ""
