"""A Stripe account with a shop, for the tests of the fake and of what calls it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from billing.models import Payment
from credits.models import Account
from tests.billing.till import Till
from tests.fakes.stripe import FakeStripe
from tests.subscriptions.factories import make_plans

# 31 January 2027, noon.
START = 1_801_396_800
NOW = datetime.fromtimestamp(START, UTC)
DAY = 86_400
PAY = {"mode": "payment", "success_url": "http://127.0.0.1:1/done?session={CHECKOUT_SESSION_ID}"}


@pytest.fixture
def fake() -> Iterator[FakeStripe]:
    with FakeStripe(clock=lambda: START) as fake:
        yield fake


def sdk(fake: FakeStripe, key: str = "") -> Any:
    """Stripe's client, told of nowhere else to go."""
    addresses: Any = dict.fromkeys(("api", "connect", "files", "meter_events"), fake.url)
    return stripe.StripeClient(key or fake.key, base_addresses=addresses, max_network_retries=0).v1


@pytest.fixture
def api(fake: FakeStripe) -> Any:
    return sdk(fake)


class Shop:
    """A customer with a card, a pack and two plans."""

    def __init__(self, fake: FakeStripe, api: Any) -> None:
        self.fake, self.api = fake, api
        self.customer = api.customers.create({"email": "ada@example.com", "metadata": {"account": "a1"}})
        self.pack = self.price(1000, "pack")
        self.pro, self.premium = self.price(2000, "pro", "month"), self.price(5000, "premium", "month")

    def price(self, amount: int, key: str, interval: str = "") -> Any:
        params: dict[str, Any] = {"currency": "usd", "unit_amount": amount, "lookup_key": key}
        params |= {"recurring": {"interval": interval}} if interval else {}
        return self.api.prices.create({**params, "product_data": {"name": key}})

    def session(self, price: Any, mode: str = "payment", **more: Any) -> Any:
        items = [{"price": price.id, "quantity": 1}]
        return self.api.checkout.sessions.create(
            {**PAY, "mode": mode, "customer": self.customer.id, "line_items": items, **more}
        )

    def bought(self, **more: Any) -> Any:
        """Return the charge of a pack that was paid."""
        session = self.fake.customer_pays(self.session(self.pack, **more))
        intent = self.api.payment_intents.retrieve(session["payment_intent"], {"expand": ["latest_charge"]})
        return intent.latest_charge

    def subscribed(self, card: str = "pm_card_visa", **more: Any) -> Any:
        session = self.fake.customer_pays(self.session(self.pro, "subscription", **more), card)
        return self.api.subscriptions.retrieve(session["subscription"])

    def change(self, sub: Any, price: Any, **more: Any) -> Any:
        items = [{"id": sub["items"].data[0].id, "price": price.id}]
        return self.api.subscriptions.update(sub.id, {"items": items, **more})


@pytest.fixture
def shop(fake: FakeStripe, api: Any) -> Shop:
    return Shop(fake, api)


def kinds(fake: FakeStripe, start: int = 0) -> list[str]:
    return [event["type"] for event in fake.events()][start:]


@pytest.fixture
def till(committed: None, fake_stripe: FakeStripe) -> Till:
    """Packs and plans that Florin sells. Stripe is called outside of transactions, so the changes are committed."""
    make_plans()
    return Till(fake_stripe)


@pytest.fixture
def paid(till: Till, bob: Account) -> Payment:
    """A pack of 100 credits for 10.00, of which nothing is used."""
    till.buy(bob)
    till.deliver()
    return Payment.objects.get()
