"""What a webhook is still worth: whether later news of the same thing overtook it, and what a replay would do."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing.handlers import HANDLERS
from billing.models import EventState, ProviderEvent
from credits.admin import show


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
