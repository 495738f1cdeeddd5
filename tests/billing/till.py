"""A till: packs and plans are sold at it, and it hears of what was paid. Each step goes through the services."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.test import Client

from billing.jobs import process_inbox
from billing.models import Checkout, EventState, PlanPrice, ProviderEvent
from billing.providers import stripe
from billing.services import catalogue, checkouts
from credits.models import Account
from credits.plan import Actor
from credits.plan.state import Owner
from credits.services.locks import read_account
from subscriptions.queries import newest_version
from tests.fakes.stripe import SECRET, FakeStripe, signature

BACK = checkouts.Return("https://app.example/paid?session={CHECKOUT_SESSION_ID}", "https://app.example/shop")
WHO = Actor("key", "0", "tests")
DOOR = "/webhooks/stripe"
PACKS = {
    "small": catalogue.Terms("100 credits", Decimal(100), 1000),
    "large": catalogue.Terms("1,000 credits", Decimal(1000), 8000, expires_after_days=365),
}


class Till:
    """``fake`` is the provider; ``deliver`` brings what it has to tell to the door and lets the inbox be processed."""

    def __init__(self, fake: FakeStripe) -> None:
        self.fake = fake
        self.client = Client()
        for code, terms in PACKS.items():
            catalogue.add_pack(code=code, terms=terms)
        catalogue.publish_catalogue()
        self.heard = 0

    def buy(self, account: Account, pack: str = "small", **how: Any) -> Checkout:
        """Open a page for a pack, and pay on it."""
        checkout = self.open(account, pack)
        self.fake.customer_pays(checkout.provider_id, **how)
        return checkout

    def open(self, account: Account, pack: str = "small") -> Checkout:
        return checkouts.buy_pack(once=None, owner=account.external_id, pack=pack, back=BACK, actor=WHO)

    def subscribe(self, account: Account, plan: str = "PRO", *, trial: bool = False) -> str:
        """Open a page for a plan, and pay on it. Returns the provider's subscription."""
        owner = Owner(account.external_id, account.unit_id)
        version = newest_version(plan)
        checkout = checkouts.buy_plan(once=None, owner=owner, version=version, back=BACK, actor=WHO, trial=trial)
        self.fake.customer_pays(checkout.provider_id)
        return str(self.fake.seen(checkout.provider_id)["subscription"])

    def move(self, subscription: str, plan: str, *, nth: int = 1) -> None:
        """Move a subscription to another plan at the provider's, as its portal would, for the ``nth`` time."""
        price = PlanPrice.objects.get(plan_version=newest_version(plan)).price_reference
        stripe.client().change_subscription(
            subscription, price=price, proration="always_invoice", idempotency_key=f"{subscription}-{plan}-{nth}"
        )

    def intent(self, checkout: Checkout) -> str:
        """Return the payment of a page."""
        return str(self.fake.seen(checkout.provider_id)["payment_intent"])

    def charge(self, checkout: Checkout) -> str:
        """Return the charge of a page's payment."""
        return str(self.fake.seen(self.intent(checkout))["latest_charge"])

    def news(self) -> list[dict[str, Any]]:
        """Return what happened since the last time."""
        events = self.fake.events()
        fresh, self.heard = events[self.heard :], len(events)
        return fresh

    def knock(self, event: dict[str, Any] | bytes, **how: Any) -> Any:
        """Send one event to the door, signed now unless told otherwise."""
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        secrets = how.pop("secrets", [SECRET])
        header = how.pop("header", None) or signature(body, secrets, how.pop("timestamp", int(time.time())))
        return self.client.generic(
            "POST", DOOR, body, content_type="application/json", headers={"Stripe-Signature": header}
        )

    def deliver(self, events: Iterable[dict[str, Any]] | None = None) -> None:
        """Bring events to the door, all that is news unless told, and process the inbox."""
        for event in self.news() if events is None else events:
            assert self.knock(event).status_code == 200
        self.work()

    def work(self) -> None:
        """Process the inbox until nothing waits that time alone could help."""
        process_inbox()

    def unhappy(self) -> list[tuple[str, str, str]]:
        """Return what is neither done nor ignored."""
        rows = ProviderEvent.objects.exclude(state__in=[EventState.DONE, EventState.IGNORED])
        return list(rows.values_list("type", "state", "error"))


def standing(account: Account) -> tuple[Decimal, Decimal, Decimal]:
    """Return balance, held and debt."""
    sheet = read_account(account.pk)
    return sheet.balance, sheet.held, sheet.debt
