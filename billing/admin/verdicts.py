"""What a webhook is still worth: whether later news of the same thing overtook it, and what a replay would do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta

from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing import refusals
from billing.handlers import HANDLERS
from billing.models import EventState, ProviderEvent
from credits import refusals as ledger
from credits.admin import show

COLOURS = {
    EventState.RECEIVED: "info",
    EventState.PROCESSING: "info",
    EventState.DONE: "success",
    EventState.PARKED: "warning",
    EventState.FAILED: "danger",
    EventState.IGNORED: "default",
}
# What was met is kept as a class and what it said. Ours say it in words for people.
MET = re.compile(r"([A-Z]\w+)(?:: (.*))?", re.DOTALL)


def badge_of(row: ProviderEvent) -> SafeString:
    """Return in what state a webhook is; one that met an error and is tried again is no fresh one."""
    if is_retried(row):
        return show.badge("Tried again", "warning")
    return show.badge(row.get_state_display(), COLOURS[EventState(row.state)])


def is_retried(row: ProviderEvent) -> bool:
    """Whether it could not be processed yet, and is tried again."""
    return row.state == EventState.RECEIVED and bool(row.error)


def reason(row: ProviderEvent) -> str:
    """Return in words why it could not be processed the last time."""
    met = MET.fullmatch(row.error)
    if met is None:
        return row.error
    name, said = met[1], (met[2] or "").strip()
    known = getattr(refusals, name, None) or getattr(ledger, name, None)
    if isinstance(known, type):
        return said or str(getattr(known, "title", "")) or "It was refused."
    return f"The program met an error that it has no words for: {said}" if said else "The program met an error."


def verdict(row: ProviderEvent) -> SafeString | str:
    """Return in words what a replay of it would be good for, in one query."""
    if row.type not in HANDLERS:
        return "Nothing is done about events of this type: a replay would be ignored again."
    later = overtaken_by(row)
    if later is not None:
        return format_html(
            "Stale: later news of {} was processed ({} of {}). What this one says may no longer be so. A replay looks"
            " up what is so now, and brings no old state back.",
            row.subject, show.link(ProviderEvent, later.pk, later.type), show.moment_tag(later.created_at),
        )  # fmt: skip
    if row.state == EventState.DONE:
        return "Done, and nothing later is known of it. A replay changes only what no longer agrees."
    return "Nothing later is known of it: a replay does what it was to do."


def overtaken_by(row: ProviderEvent) -> ProviderEvent | None:
    """Return the latest processed event about the same thing, where that happened later."""
    if not row.subject:
        return None
    same = ProviderEvent.objects.filter(subject=row.subject, state=EventState.DONE, created_at__gt=row.created_at)
    return same.exclude(pk=row.pk).defer("payload").order_by("-created_at").first()


def age(row: ProviderEvent) -> str:
    """Return how long it took, or for how long it has waited, since it came or was last replayed."""
    taken = (row.done_at or timezone.now()) - row.tried_since
    if not row.done_at:
        return f"waits for {_said(taken)}"
    return f"{'given up after' if row.state == EventState.FAILED else 'took'} {_said(taken)}"


def _said(span: timedelta) -> str:
    seconds = max(span.total_seconds(), 0.0)
    for size, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {name}"
    return f"{seconds:.1f} s"


def stale_among(events: Iterable[ProviderEvent]) -> int:
    """Return how many of some events were overtaken, in one query."""
    later = ProviderEvent.objects.filter(
        subject=OuterRef("subject"), state=EventState.DONE, created_at__gt=OuterRef("created_at")
    )
    some = ProviderEvent.objects.filter(pk__in=[event.pk for event in events]).exclude(subject="")
    return some.filter(Exists(later)).count()
