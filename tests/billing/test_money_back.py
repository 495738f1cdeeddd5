"""Refunds and disputes: exactly the lot that the payment bought, cumulatively, and never twice."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.models import Dispute, Payment, Refund
from billing.services.claims import claim_again
from credits.models import Account, Transaction
from credits.refusals import InsufficientCredits
from credits.services import clock
from credits.services.batch import Item, Verb, post_batch
from credits.services.corrections import refund_transaction
from credits.services.expiry import settle_account
from credits.services.holds import capture_hold, release_hold
from tests.billing.till import Till, standing
from tests.factories import give, hold, memo, spend


class TestARefund:
    def test_in_parts_takes_back_in_proportion(self, till: Till, bob: Account) -> None:
        charge = till.charge(till.buy(bob))
        till.deliver()

        till.fake.refund(charge, 333)
        till.deliver()
        assert standing(bob) == (67, 0, 0)
        till.fake.refund(charge)
        till.deliver()

        assert standing(bob) == (0, 0, 0)
        assert till.unhappy() == []
        payment = Payment.objects.get()
        assert (payment.refunded_minor, payment.claimed) == (1000, 100)
        assert sorted(Refund.objects.values_list("amount_minor", flat=True)) == [333, 667]

    def test_leaves_other_lots_alone_and_owes_what_is_spent(self, till: Till, bob: Account) -> None:
        charge = till.charge(till.buy(bob))
        till.deliver()
        spend(bob, 60)
        give(bob, 25)

        till.fake.refund(charge)
        till.deliver()

        assert standing(bob) == (25, 0, 60)
        moved = Transaction.objects.filter(account=bob, kind="clawback").first()
        assert moved is not None
        assert moved.description == "10.00 USD of 10.00 USD refunded"

    def test_that_failed_gives_the_credits_again(self, till: Till, bob: Account) -> None:
        charge = till.charge(till.buy(bob))
        refund = till.fake.refund(charge)
        till.deliver()
        assert standing(bob)[0] == 0

        till.fake.fail_refund(refund["id"])
        till.deliver()

        assert standing(bob) == (100, 0, 0)

    def test_that_is_heard_of_before_the_payment_ends_in_the_same(self, till: Till, bob: Account) -> None:
        till.fake.refund(till.charge(till.buy(bob)), 500)

        till.deliver(reversed(till.news()))

        assert standing(bob) == (50, 0, 0)


class TestADispute:
    def test_freezes_then_claws_back_when_it_is_lost(self, till: Till, bob: Account) -> None:
        charge = till.charge(till.buy(bob))
        till.deliver()
        spend(bob, 30)

        dispute = till.fake.open_dispute(charge)
        till.deliver()
        assert standing(bob) == (70, 70, 0)
        till.fake.close_dispute(dispute["id"], "lost")
        till.deliver()

        assert standing(bob) == (0, 0, 30)
        assert Dispute.objects.get().status == "lost"

    def test_reinstates_when_it_is_won(self, till: Till, bob: Account) -> None:
        charge = till.charge(till.buy(bob))
        dispute = till.fake.open_dispute(charge)
        till.deliver()
        assert standing(bob) == (100, 100, 0)

        till.fake.close_dispute(dispute["id"], "won")
        till.deliver()

        assert standing(bob) == (100, 0, 0)

    def test_and_a_refund_of_one_charge_never_claw_twice(self, till: Till, bob: Account) -> None:
        give(bob, 500)
        charge = till.charge(till.buy(bob))
        till.fake.refund(charge, 400)
        dispute = till.fake.open_dispute(charge)
        till.deliver()
        assert standing(bob) == (560, 60, 0)

        till.fake.close_dispute(dispute["id"], "lost")
        till.deliver()

        assert standing(bob) == (500, 0, 0)

    def test_that_is_only_an_inquiry_freezes_nothing(self, till: Till, bob: Account) -> None:
        charge = till.charge(till.buy(bob))

        till.fake.open_dispute(charge, inquiry=True)
        till.deliver()

        assert standing(bob) == (100, 0, 0)
        assert till.unhappy() == []


def test_what_comes_back_to_a_disputed_lot_is_frozen_too(till: Till, bob: Account) -> None:
    checkout = till.buy(bob)
    till.deliver()
    used = spend(bob, 60)
    dispute = till.fake.open_dispute(till.charge(checkout), 1000)
    till.deliver()
    assert standing(bob) == (40, 40, 0)
    refund_transaction(transaction=used.id, memo=memo())

    assert standing(bob) == (100, 100, 0)
    assert claim_again() == 0

    assert standing(bob) == (100, 100, 0)
    till.fake.close_dispute(dispute["id"], "won")
    till.deliver()
    assert standing(bob) == (100, 0, 0)
    assert claim_again() == 0


def test_of_a_lot_that_was_used_up_when_it_was_disputed_too(till: Till, bob: Account) -> None:
    checkout = till.buy(bob)
    till.deliver()
    used = spend(bob, 100)
    dispute = till.fake.open_dispute(till.charge(checkout), 1000)
    till.deliver()
    refund_transaction(transaction=used.id, memo=memo())
    assert standing(bob) == (100, 100, 0)
    assert claim_again() == 0
    till.fake.close_dispute(dispute["id"], "lost")
    till.deliver()
    assert standing(bob) == (0, 0, 0)


@pytest.mark.parametrize("amount", [60, 100])
@pytest.mark.parametrize("how", ["released", "captured in part", "by a batch"])
def test_what_a_hold_frees_under_dispute_is_spent_by_nobody(till: Till, bob: Account, amount: int, how: str) -> None:
    checkout = till.buy(bob)
    till.deliver()
    held = hold(bob, amount)
    till.fake.open_dispute(till.charge(checkout), 1000)
    till.deliver()
    assert standing(bob) == (100, 100, 0)

    if how == "released":
        release_hold(hold=held.id)
    elif how == "by a batch":
        post_batch(items=[Item(Verb.RELEASE, memo(), answers=held.id)])
    else:
        capture_hold(hold=held.id, amount=Decimal(10), memo=memo(), final=True)

    left = 90 if how == "captured in part" else 100
    assert standing(bob) == (left, left, 0)
    with pytest.raises(InsufficientCredits):
        spend(bob, 1)
    assert claim_again() == 0


def test_what_a_hold_frees_by_itself_is_frozen_by_the_clock(till: Till, bob: Account, settings: Any) -> None:
    settings.TEST_CLOCK = True
    checkout = till.buy(bob)
    till.deliver()
    hold(bob, 60)
    till.fake.open_dispute(till.charge(checkout), 1000)
    till.deliver()
    clock.move(timedelta(hours=1))
    settle_account(account=bob.pk)

    assert claim_again() == 1

    assert standing(bob) == (100, 100, 0)
