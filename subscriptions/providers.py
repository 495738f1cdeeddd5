"""Who collects the payments of subscriptions. Another app registers its own; this one knows the manual way only."""

from __future__ import annotations

from typing import Protocol

from credits.plan import Owner
from subscriptions.models import PlanVersion


class Provider(Protocol):
    """Collects payments. Called outside of transactions, before anything is changed here."""

    name: str

    def checkout_url(self, *, owner: Owner, version: PlanVersion) -> str | None:
        """Return where the owner pays before being put on a version, or None where no payment is due.

        Where there is an address, nothing is changed now: the provider subscribes or upgrades once it is paid.
        """


class ManualProvider:
    """Nobody collects: whoever asks is put on the plan, and staff see to the payment."""

    name = "manual"

    def checkout_url(self, *, owner: Owner, version: PlanVersion) -> str | None:
        """Return None: no payment is due here."""
        return None


_providers: dict[str, Provider] = {}
_chosen = ""


def register(provider: Provider, *, chosen: bool = False) -> None:
    """Make a provider known by its name, and with ``chosen`` the one that new subscriptions go to."""
    global _chosen  # noqa: PLW0603  # made once, when the apps are loaded
    _providers[provider.name] = provider
    if chosen:
        _chosen = provider.name


def chosen() -> Provider:
    """Return the provider that new subscriptions go to."""
    return _providers[_chosen]


register(ManualProvider(), chosen=True)
