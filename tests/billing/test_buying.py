"""A pack is bought: a page is opened, paid on, and the credits come once, on the terms of the page."""

from __future__ import annotations

import pytest

from billing import refusals
from billing.models import Checkout, Customer, Pack, Payment, ProviderEvent
from billing.providers import stripe
from billing.services import catalogue
from credits.models import Account, Grant, Transaction
from tests.billing.shop import Shop, standing


class TestAPack:
    def test_brings_its_credits_when_it_is_paid(self, shop: Shop, bob: Account) -> None:
        checkout = shop.buy(bob)
        assert standing(bob)[0] == 0

        shop.deliver()

        assert shop.unhappy() == []
        assert standing(bob) == (100, 0, 0)
        moved = Transaction.objects.get(account=bob)
        assert (moved.kind, moved.reference_type, moved.reference_id) == ("topup", "payment", shop.intent(checkout))
        lot = Grant.objects.get(account=bob)
        assert (lot.category, lot.paid_currency, lot.paid_minor) == ("paid", "USD", 1000)
        payment = Payment.objects.get()
        assert (payment.status, payment.movement_id, payment.amount_minor) == ("succeeded", moved.pk, 1000)
        assert Checkout.objects.get().status == "paid"

    def test_keeps_the_terms_of_the_day_its_page_was_opened(self, shop: Shop, bob: Account) -> None:
        shop.buy(bob)
        Pack.objects.filter(pk="small").update(credits=1)

        shop.deliver()

        assert standing(bob)[0] == 100

    def test_expires_as_it_says(self, shop: Shop, bob: Account) -> None:
        shop.buy(bob, "large")

        shop.deliver()

        lot = Grant.objects.get(account=bob)
        assert lot.expires_at is not None
        assert (lot.expires_at - lot.created_at).days in {364, 365}

    def test_is_not_credited_before_a_slow_payment_is_through(self, shop: Shop, bob: Account) -> None:
        checkout = shop.buy(bob, later=True)
        shop.deliver()
        assert standing(bob)[0] == 0
        assert Checkout.objects.get().status == "pending"

        shop.fake.payment_settles(checkout.provider_id)
        shop.deliver()

        assert standing(bob)[0] == 100

    def test_is_not_credited_when_a_slow_payment_fails(self, shop: Shop, bob: Account) -> None:
        checkout = shop.buy(bob, later=True)
        shop.deliver()

        shop.fake.payment_settles(checkout.provider_id, paid=False)
        shop.deliver()

        assert standing(bob)[0] == 0
        assert Checkout.objects.get().status == "failed"

    def test_of_another_price_than_was_asked_for_waits_for_somebody_to_look(self, shop: Shop, bob: Account) -> None:
        Pack.objects.filter(pk="small").update(price_minor=999)
        shop.buy(bob)

        shop.deliver()

        assert standing(bob)[0] == 0
        assert {each[1] for each in shop.unhappy()} == {"received"}
        assert catalogue.compare_catalogue() != []

    def test_that_is_not_sold_is_refused(self, shop: Shop, bob: Account) -> None:
        Pack.objects.filter(pk="small").update(active=False)

        with pytest.raises(refusals.PackNotOffered):
            shop.open(bob)

    def test_has_one_customer_however_often_it_is_bought(self, shop: Shop, bob: Account) -> None:
        shop.buy(bob)
        shop.buy(bob, "large")

        assert Customer.objects.count() == 1
        assert len(shop.fake.store.all("cus")) == 1


class TestMoneyThatIsNotOurs:
    def test_is_ignored(self, shop: Shop, bob: Account) -> None:
        client = stripe.client()
        stranger = client.create_customer(account_ref="", email="", name="Somebody", idempotency_key="stranger")
        shop.fake.save_card(stranger.id)
        client.charge_off_session(
            customer=stranger.id, amount=1000, currency="usd", metadata={}, idempotency_key="strange"
        )

        shop.deliver()

        assert shop.unhappy() == []
        assert not Payment.objects.exists()
        assert "ignored" in ProviderEvent.objects.values_list("state", flat=True)

    def test_of_the_other_mode_does_not_come_in(self, shop: Shop, bob: Account) -> None:
        shop.buy(bob)
        paid = next(each for each in shop.news() if each["type"] == "payment_intent.succeeded")

        assert shop.knock({**paid, "livemode": True}).status_code == 400

        assert not ProviderEvent.objects.exists()
