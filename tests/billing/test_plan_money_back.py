"""What a subscription's payment brought is clawed back with it: a month's credits, an upgrade's, those of a year."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from billing.models import Payment, PaymentCredit
from billing.services import catalogue, claims, tiers
from credits.models import Account, Grant, Transaction
from credits.services import clock
from tests.billing.till import Till, standing
from tests.factories import spend
from tests.processes import until_somebody_waits
from tests.subscriptions.factories import make_plan
from tests.threads import at_once


@pytest.fixture
def both_clocks(settings: Any) -> None:
    settings.TEST_CLOCK = True


def pass_days(till: Till, days: int) -> None:
    clock.move(timedelta(days=days))
    till.fake.advance(days)
    till.deliver()


def payment_of(minor: int) -> Payment:
    return Payment.objects.get(amount_minor=minor)


def give_back(till: Till, payment: Payment, minor: int | None = None) -> None:
    till.fake.refund(payment.charge_reference, minor or payment.amount_minor)
    till.deliver()


class TestAMonth:
    def test_is_clawed_back_in_proportion_and_what_was_spent_is_owed(self, till: Till, bob: Account) -> None:
        till.subscribe(bob)
        till.deliver()
        spend(bob, 900)

        give_back(till, payment_of(2900), 1450)

        assert standing(bob) == (0, 0, 400)
        row = Payment.objects.get()
        assert (row.claimed, row.credits.get().claimed) == (500, 500)
        assert Transaction.objects.get(kind="clawback").description == "14.50 USD of 29.00 USD refunded"

    def test_that_came_after_its_payment_was_heard_of_is_clawed_back_too(
        self, till: Till, bob: Account, both_clocks: None
    ) -> None:
        till.subscribe(bob)
        till.deliver()
        till.fake.advance(31)
        till.deliver()
        assert standing(bob)[0] == 1000
        renewal = Payment.objects.latest("occurred_at")
        assert not renewal.credits.exists()

        give_back(till, renewal)
        clock.move(timedelta(days=31))
        claims.claim_again()

        assert standing(bob) == (0, 0, 0)
        assert Transaction.objects.filter(account=bob, kind="plan").count() == 2

    def test_is_frozen_while_its_payment_is_disputed(self, till: Till, bob: Account) -> None:
        till.subscribe(bob)
        till.deliver()
        charge = payment_of(2900).charge_reference

        dispute = till.fake.open_dispute(charge, 2900)["id"]
        till.deliver()
        assert standing(bob) == (1000, 1000, 0)

        till.fake.close_dispute(dispute, "won")
        till.deliver()
        assert standing(bob) == (1000, 0, 0)


class TestAnUpgrade:
    def test_is_clawed_back_and_the_month_before_it_is_not(self, till: Till, bob: Account) -> None:
        reference = till.subscribe(bob)
        till.deliver()
        till.move(reference, "PREMIUM")
        till.deliver()
        assert standing(bob)[0] == 10_000
        upgrade = Payment.objects.exclude(amount_minor=2900).get()
        assert [each.movement.amount for each in upgrade.credits.all()] == [9000]

        give_back(till, upgrade)
        assert standing(bob) == (1000, 0, 0)

        give_back(till, payment_of(2900))
        assert standing(bob) == (0, 0, 0)

    def test_is_frozen_and_lost_with_its_dispute(self, till: Till, bob: Account) -> None:
        till.move(till.subscribe(bob), "PREMIUM")
        till.deliver()
        upgrade = Payment.objects.exclude(amount_minor=2900).get()

        dispute = till.fake.open_dispute(upgrade.charge_reference, upgrade.amount_minor)["id"]
        till.deliver()
        assert standing(bob) == (10_000, 9000, 0)
        till.fake.close_dispute(dispute, "lost")
        till.deliver()

        assert standing(bob) == (1000, 0, 0)
        assert Payment.objects.get(pk=upgrade.pk).claimed == 9000


class TestAYear:
    @pytest.fixture
    def yearly(self, till: Till) -> None:
        make_plan("YEARLY", 15, price_minor=29_000, interval="year", monthly_credits=1000)
        catalogue.publish_catalogue()

    def test_is_clawed_back_month_by_month_and_brings_nothing_more(
        self, till: Till, bob: Account, both_clocks: None, yearly: None
    ) -> None:
        till.subscribe(bob, "YEARLY")
        till.deliver()
        for _ in range(2):
            pass_days(till, 31)
        assert standing(bob)[0] == 1000

        give_back(till, payment_of(29_000))
        assert standing(bob) == (0, 0, 0)
        assert PaymentCredit.objects.count() == 3

        pass_days(till, 31)
        claims.claim_again()
        assert standing(bob) == (0, 0, 0)
        assert Grant.objects.filter(account=bob).count() == 4

    def test_given_back_in_part_takes_that_part_of_each_month(
        self, till: Till, bob: Account, both_clocks: None, yearly: None
    ) -> None:
        till.subscribe(bob, "YEARLY")
        till.deliver()

        give_back(till, payment_of(29_000), 14_500)
        pass_days(till, 31)
        assert claims.claim_again() == 1
        assert claims.claim_again() == 0

        assert standing(bob) == (500, 0, 0)
        assert [each.claimed for each in PaymentCredit.objects.order_by("pk")] == [500, 500]


def test_who_records_a_subscription_waits_for_a_payment_that_refers_to_its_invoice(till: Till, bob: Account) -> None:
    """The payment has the account and, when it commits, looks at its invoice: no lock there may be in its way."""
    reference = till.subscribe(bob)
    till.deliver()
    facts = tiers.look_up_subscription(reference)
    payment = Payment.objects.get()
    held = threading.Event()

    def pay() -> None:
        with transaction.atomic():
            Account.objects.select_for_update(no_key=True).get(pk=bob.pk)
            held.set()
            until_somebody_waits()
            Payment.objects.create(
                provider_id="pi_late", account=bob, invoice_id=payment.invoice_id, amount_minor=1, currency="USD",
                status="processing", livemode=False, occurred_at=payment.occurred_at, updated_at=payment.updated_at,
            )  # fmt: skip

    def record() -> None:
        held.wait()
        with transaction.atomic():
            tiers.record_subscription(facts)

    assert at_once([pay, record]) == [None, None]
