"""How the admin looks and what its sidebar offers. Each link shows for those who may open it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def _may(permission: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.user.has_perm(permission)


def _style(_request: HttpRequest) -> str:
    return static("credits/admin.css")


def _script(_request: HttpRequest) -> str:
    return static("credits/admin.js")


def _icon(_request: HttpRequest) -> str:
    return static("credits/icon.svg")


def _page(title: str, icon: str, model: str, **more: Any) -> dict[str, Any]:
    app, name = model.split(".")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{name}_changelist"),
        "permission": _may(f"{app}.view_{name}"),
        **more,
    }


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Florin",
    "SITE_HEADER": "Florin",
    "SITE_SUBHEADER": "Prepaid credits",
    "SITE_SYMBOL": "toll",
    "SITE_URL": None,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _icon}],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": False,
    "BORDER_RADIUS": "6px",
    "DASHBOARD_CALLBACK": "credits.admin.front.context",
    "STYLES": [_style],
    "SCRIPTS": [_script],
    "COLORS": {
        "primary": {
            "50": "#eef7f4",
            "100": "#d5ebe3",
            "200": "#aed7c9",
            "300": "#7fbda9",
            "400": "#4f9f88",
            "500": "#2f8470",
            "600": "#1f6f5c",
            "700": "#1a594b",
            "800": "#18473d",
            "900": "#153b33",
            "950": "#0a211d",
        }
    },
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": [
            {
                "title": "Desk",
                "items": [
                    {"title": "Start", "icon": "home", "link": reverse_lazy("admin:index")},
                    {"title": "Find  ( / )", "icon": "search", "link": reverse_lazy("desk-find")},
                    {
                        "title": "Reports",
                        "icon": "summarize",
                        "link": reverse_lazy("desk-reports"),
                        "permission": _may("credits.view_transaction"),
                    },
                ],
            },
            {
                "title": "Ledger",
                "separator": True,
                "items": [
                    _page("Accounts", "account_balance_wallet", "credits.account"),
                    _page("Movements", "receipt_long", "credits.transaction"),
                    _page("Lots", "layers", "credits.grant"),
                    _page("Holds", "hourglass_top", "credits.hold"),
                    _page("Bulk adjustments", "playlist_add", "credits.bulkadjustment"),
                    _page(
                        "Approvals",
                        "how_to_reg",
                        "credits.approvalrequest",
                        badge="credits.admin.asked.waiting",
                    ),
                ],
            },
            {
                "title": "Plans",
                "separator": True,
                "items": [
                    _page("Subscriptions", "autorenew", "subscriptions.subscription"),
                    _page("Plans", "sell", "subscriptions.plan"),
                    _page("Plan versions", "history", "subscriptions.planversion"),
                ],
            },
            {
                "title": "Catalogue",
                "separator": True,
                "items": [
                    _page("Features", "category", "credits.feature"),
                    _page("Prices", "request_quote", "credits.price"),
                    _page(
                        "Unpriced usage",
                        "pending_actions",
                        "credits.unpricedusage",
                        badge="credits.admin.unpriced.waiting",
                    ),
                ],
            },
            {
                "title": "Billing",
                "separator": True,
                "items": [
                    _page("Payments", "payments", "billing.payment"),
                    _page("Invoices", "receipt_long", "billing.invoice"),
                    _page("Refund orders", "outgoing_mail", "billing.refundorder"),
                    _page("Refunds", "undo", "billing.refund"),
                    _page("Disputes", "gavel", "billing.dispute"),
                    _page("Webhook inbox", "webhook", "billing.providerevent"),
                    _page("Dead letters", "unsubscribe", "billing.deadletter", badge="billing.admin.letters.waiting"),
                    _page("Stray subscriptions", "call_split", "billing.straysubscription"),
                    _page("Differences", "difference", "billing.difference", badge="billing.admin.differences.waiting"),
                    _page("Auto top-ups", "autopay", "billing.autotopup"),
                    _page("Packs", "redeem", "billing.pack"),
                    _page("Plan prices", "link", "billing.planprice"),
                ],
            },
            {
                "title": "News",
                "separator": True,
                "items": [
                    _page("Events", "campaign", "credits.event"),
                    _page("Webhook endpoints", "send", "billing.webhookendpoint"),
                    _page("Webhook deliveries", "outbox", "billing.webhookdelivery"),
                    _page("E-mails", "mail", "billing.notice"),
                    _page("E-mail addresses", "contact_mail", "billing.noticeaddress"),
                ],
            },
            {
                "title": "Clock",
                "separator": True,
                "items": [
                    _page("Runs", "history", "credits.taskrun"),
                    _page("Schedule", "schedule", "django_celery_beat.periodictask"),
                    _page("Intervals", "timer", "django_celery_beat.intervalschedule"),
                    _page("Times of day", "calendar_clock", "django_celery_beat.crontabschedule"),
                ],
            },
            {
                "title": "Settings",
                "separator": True,
                "items": [
                    _page("Units", "straighten", "credits.unit"),
                    _page("API keys", "key", "credits.apikey"),
                ],
            },
            {
                "title": "People",
                "separator": True,
                "items": [
                    _page("Users", "person", "auth.user"),
                    _page("Groups", "group", "auth.group"),
                    _page("Caps", "speed", "credits.staffcap"),
                    _page("Staff acts", "history_edu", "credits.staffact"),
                ],
            },
        ],
    },
}
