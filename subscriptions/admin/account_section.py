"""What an account's page shows of its subscription."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.html import format_html

from credits.admin import desk, show
from credits.models import Account
from subscriptions.admin.subscriptions import COLOURS
from subscriptions.models import Status, Subscription, SubscriptionChange

MOST_STEPS = 20


def context(request: HttpRequest, account: Account) -> dict[str, Any]:
    """Return the latest subscription and its history, in one query: each has the step that began it."""
    latest = Subscription.objects.filter(account=account.pk).order_by("-id").values("pk")[:1]
    changes = SubscriptionChange.objects.filter(subscription=latest).order_by("-id")[:MOST_STEPS]
    steps = list(changes.select_related("to_version", "subscription__plan_version__plan", "subscription__next_version"))
    return {
        "headline": [_headline(steps[0].subscription if steps else None)],
        "current": _current(steps[0].subscription) if steps else None,
        "steps": [_step(each) for each in steps],
    }


def _headline(row: Subscription | None) -> desk.Tile:
    if row is None or row.status == Status.CANCELED:
        return desk.Tile("Plan", "None", "#subscription", "the default plan holds")
    state = row.get_status_display().lower()
    then = "ends" if row.cancel_at_period_end else "changes" if row.next_version_id else "renews"
    note = format_html("{}, {} {}", state, then, show.day_tag(row.current_period_end))
    alarm = row.status in {Status.PAST_DUE, Status.PAUSED}
    return desk.Tile("Plan", row.plan_version.plan.name, "#subscription", note, alarm)


def _current(row: Subscription) -> dict[str, Any]:
    follows = f"{row.next_version} with the next period" if row.next_version else "Renews"
    ended = row.status == Status.CANCELED
    return {
        "link": show.link(Subscription, row.pk, f"{row.plan_version.plan.name} ({row.plan_version})"),
        "state": show.badge(row.get_status_display(), COLOURS[Status(row.status)]),
        "begins": show.moment_tag(row.current_period_start),
        "ends": show.moment_tag(row.current_period_end),
        "next": "Ended" if ended else "Ends with the period" if row.cancel_at_period_end else follows,
        "keeper": f"{row.provider} {row.provider_reference}".strip(),
    }


def _step(each: SubscriptionChange) -> dict[str, Any]:
    return {
        "at": show.moment_tag(each.at),
        "what": each.get_verb_display(),
        "version": str(each.to_version),
        "by": each.actor_name or each.get_actor_kind_display(),
        "why": each.reason,
    }


desk.register(
    desk.Section(
        "subscription", "subscriptions.view_subscription", "admin/subscriptions/of_account.html", context, place=10
    ),
)
