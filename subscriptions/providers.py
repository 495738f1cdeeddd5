"""Who collects the payments of subscriptions. Another app registers its own; this one knows the manual way only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import NoReturn, Protocol, TypeVar

from credits.plan import Owner
from credits.refusals import Refusal
from credits.services.once import Once, keep
from subscriptions.models import PlanVersion, Subscription
from subscriptions.services.writing import Cause

T = TypeVar("T")


class Provider(Protocol):
    """Collects payments. Called outside of transactions, before anything is changed here."""

    name: str

    def checkout_url(self, *, owner: Owner, version: PlanVersion, trial: bool = False) -> str | None:
        """Return where the owner pays before being put on a version, or None where no payment is due.

        Where there is an address, nothing is changed now: the provider subscribes or upgrades once it is paid.
        """


@dataclass(frozen=True, slots=True)
class Cost:
    """What a change of plan costs, in minor units, as who collects it says.

    ``due_now`` is collected at once. ``credit`` is what the unused rest of the old plan's period is worth: it is in
    both figures. ``next_invoice`` falls due at ``next_invoice_at``; None where no further one comes.
    """

    currency: str
    due_now: int = 0
    credit: int = 0
    next_invoice: int | None = None
    next_invoice_at: datetime | None = None


class Collector(Provider, Protocol):
    """A provider that keeps subscriptions itself: changes are made there, and here as it then says.

    ``cause`` is who asks for a change, and why: the subscription's history keeps it.
    """

    def change(self, *, subscription: Subscription, version: PlanVersion, cause: Cause) -> None:
        """Move a subscription to a version now, and collect what that costs."""

    def change_later(self, *, subscription: Subscription, version: PlanVersion, cause: Cause) -> None:
        """Let a subscription go on, on another version from its next period on."""

    def cost(self, *, subscription: Subscription, version: PlanVersion | None, at_once: bool) -> Cost:
        """Tell what going to a version would cost, or with None what ending would. Changes nothing."""

    def cancel(self, *, subscription: Subscription, at_period_end: bool, cause: Cause) -> None:
        """End a subscription with its period, or now."""

    def resume(self, *, subscription: Subscription, cause: Cause) -> None:
        """Take a cancellation back."""


class ManualProvider:
    """Nobody collects: whoever asks is put on the plan, and staff see to the payment."""

    name = "manual"

    def checkout_url(self, *, owner: Owner, version: PlanVersion, trial: bool = False) -> str | None:
        """Return None: no payment is due here."""
        return None


_providers: dict[str, Provider] = {}
_collectors: dict[str, Collector] = {}
_chosen = ""


def register(provider: Provider, *, chosen: bool = False) -> None:
    """Make a provider known by its name, and with ``chosen`` the one that new subscriptions go to."""
    global _chosen  # noqa: PLW0603  # made once, when the apps are loaded
    _providers[provider.name] = provider
    if chosen:
        _chosen = provider.name


def register_collector(collector: Collector, *, chosen: bool) -> None:
    """Make a provider known that keeps subscriptions itself."""
    register(collector, chosen=chosen)
    _collectors[collector.name] = collector


def collector_of(subscription: Subscription) -> Collector | None:
    """Return the provider that keeps a subscription, or None where it is kept here."""
    return _collectors.get(subscription.provider)


def through(once: Once | None, act: Callable[[], T]) -> T:
    """Do something at a provider's, outside of transactions, once for a request's key: then the answer is kept.

    Everything that may refuse belongs into ``act``: asked again, the first answer is found before it is looked into.
    """
    if once is not None:
        once.check(once.find())
    try:
        result = act()
    except Refusal as refused:
        return keep(once=once, act=partial(_refuse, refused))
    return keep(once=once, act=lambda: result)


def _refuse(refused: Refusal) -> NoReturn:
    raise refused


def names() -> list[str]:
    """Return the names of the providers that are known."""
    return list(_providers)


def choose(name: str) -> None:
    """Let new subscriptions go to a provider that is known."""
    register(_providers[name], chosen=True)


def chosen() -> Provider:
    """Return the provider that new subscriptions go to."""
    return _providers[_chosen]


register(ManualProvider(), chosen=True)
