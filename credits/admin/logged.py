"""Whatever a page of the admin changes is told to the log of what staff did."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from credits.models import Account
from credits.plan import Actor
from credits.services.staff import Told, record_act


def actor_of(request: HttpRequest) -> Actor:
    """Return who is at the browser."""
    return Actor("staff", str(request.user.pk), request.user.get_username())


def request_id(request: HttpRequest) -> str:
    """Return the request's id, as logs and answers tell it."""
    return str(request.META.get("florin.request_id", ""))


class Logged:
    """Tells the log what Django's own history is told."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        entry = super().log_addition(request, obj, message)  # type: ignore[misc]
        _tell(request, "add", obj, entry.get_change_message())
        return entry

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        entry = super().log_change(request, obj, message)  # type: ignore[misc]
        _tell(request, "change", obj, entry.get_change_message())
        return entry

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        for row in queryset:
            _tell(request, "delete", row, f"Deleted {row}.")
        return super().log_deletions(request, queryset)  # type: ignore[misc]


def _tell(request: HttpRequest, action: str, obj: Any, what: str) -> None:
    account = obj.pk if isinstance(obj, Account) else getattr(obj, "account_id", None)
    subject = "" if isinstance(obj, Account) else f"{obj._meta.verbose_name} {obj}".capitalize()
    told = Told(account=account, subject=subject, request_id=request_id(request))
    record_act(actor=actor_of(request), action=action, what=what, told=told)
