"""A pack is bought: a page is opened, paid on, and the credits come once, on the terms of the page."""

from __future__ import annotations

import pytest

from billing import refusals
from billing.models import Checkout, Customer, Pack, Payment, ProviderEvent
from billing.providers import stripe
from credits.models import Account, Grant, Transaction
from tests.billing.till import Till, standing


class TestAPack:
    def test_brings_its_credits_when_it_is_paid(self, till: Till, bob: Account) -> None:
        checkout = till.buy(bob)
        assert standing(bob)[0] == 0

        till.deliver()

        assert till.unhappy() == []
        assert standing(bob) == (100, 0, 0)
        moved = Transaction.objects.get(account=bob)
        assert (moved.kind, moved.reference_type, moved.reference_id) == ("topup", "payment", till.intent(checkout))
        lot = Grant.objects.get(account=bob)
        assert (lot.category, lot.paid_currency, lot.paid_minor) == ("paid", "USD", 1000)
        payment = Payment.objects.get()
        assert (payment.status, payment.movement_id, payment.amount_minor) == ("succeeded", moved.pk, 1000)
        assert Checkout.objects.get().status == "paid"

    def test_keeps_the_terms_of_the_day_its_page_was_opened(self, till: Till, bob: Account) -> None:
        till.buy(bob)
        Pack.objects.filter(pk="small").update(credits=1)

        till.deliver()

        assert standing(bob)[0] == 100

    def test_expires_as_it_says(self, till: Till, bob: Account) -> None:
        till.buy(bob, "large")

        till.deliver()

        lot = Grant.objects.get(account=bob)
        assert lot.expires_at is not None
        assert (lot.expires_at - lot.created_at).days in {364, 365}

    def test_is_not_credited_before_a_slow_payment_is_through(self, till: Till, bob: Account) -> None:
        checkout = till.buy(bob, later=True)
        till.deliver()
        assert standing(bob)[0] == 0
        assert Checkout.objects.get().status == "pending"

        till.fake.payment_settles(checkout.provider_id)
        till.deliver()

        assert standing(bob)[0] == 100

    def test_is_not_credited_when_a_slow_payment_fails(self, till: Till, bob: Account) -> None:
        checkout = till.buy(bob, later=True)
        till.deliver()

        till.fake.payment_settles(checkout.provider_id, paid=False)
        till.deliver()

        assert standing(bob)[0] == 0
        assert Checkout.objects.get().status == "failed"

    def test_that_is_not_sold_is_refused(self, till: Till, bob: Account) -> None:
        Pack.objects.filter(pk="small").update(active=False)

        with pytest.raises(refusals.PackNotOffered):
            till.open(bob)

    def test_has_one_customer_however_often_it_is_bought(self, till: Till, bob: Account) -> None:
        till.buy(bob)
        till.buy(bob, "large")

        assert Customer.objects.count() == 1
        assert len(till.fake.store.all("cus")) == 1


class TestMoneyThatIsNotOurs:
    def test_is_ignored(self, till: Till, bob: Account) -> None:
        client = stripe.client()
        stranger = client.create_customer(account_ref="", email="", name="Somebody", idempotency_key="stranger")
        till.fake.save_card(stranger.id)
        client.charge_off_session(
            customer=stranger.id, amount=1000, currency="usd", metadata={}, idempotency_key="strange"
        )

        till.deliver()

        assert till.unhappy() == []
        assert not Payment.objects.exists()
        assert "ignored" in ProviderEvent.objects.values_list("state", flat=True)

    def test_of_the_other_mode_does_not_come_in(self, till: Till, bob: Account) -> None:
        till.buy(bob)
        paid = next(each for each in till.news() if each["type"] == "payment_intent.succeeded")

        assert till.knock({**paid, "livemode": True}).status_code == 400

        assert not ProviderEvent.objects.exists()
