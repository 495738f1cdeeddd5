"""The provider's own pages, for what stands there."""

from __future__ import annotations

from django.utils.html import format_html
from django.utils.safestring import SafeString

from credits.admin import show

DASHBOARD = "https://dashboard.stripe.com/"


def address(room: str, provider_id: str, *, livemode: bool) -> str:
    """Return where the dashboard shows something: its room there is customers, payments, invoices, subscriptions."""
    return f"{DASHBOARD}{'' if livemode else 'test/'}{room}/{provider_id}"


def link(url: str, text: str) -> SafeString | str:
    """Return a link that leads away from here, to a page of its own."""
    if not url.startswith(("https://", "http://")):
        return show.EMPTY
    return format_html('<a class="f-link" href="{}" target="_blank" rel="noopener noreferrer">{}</a>', url, text)
