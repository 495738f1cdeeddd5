"""Refunds from our side: once, whoever was cut off where, and never more than came in."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from billing import refusals
from billing.models import Payment, Refund, RefundOrder
from billing.providers import stripe
from billing.services import refunds
from credits.models import Account, StaffAct, Transaction
from credits.refusals import InvalidField, Refusal
from tests.billing.till import WHO, Till, standing
from tests.conftest import Api, stripe_settings
from tests.factories import spend
from tests.fakes.stripe import Fault
from tests.processes import ROOT, environment
from tests.threads import at_once


def give_back(payment: Payment, minor: int | None = None) -> RefundOrder:
    return refunds.refund_payment(
        once=None, payment=payment.provider_id, amount_minor=minor, reason="Not wanted", actor=WHO
    )


def at_the_provider(till: Till) -> list[int]:
    """Return the amounts that the provider has refunded."""
    return [each["amount"] for each in till.fake.store.all("re")]


class TestARefund:
    def test_of_a_part_claws_back_that_part_of_the_lot(self, till: Till, paid: Payment, bob: Account) -> None:
        order = give_back(paid, 405)

        assert (order.status, order.amount_minor) == ("done", 405)
        assert standing(bob)[0] == 60
        assert at_the_provider(till) == [405]
        till.deliver()
        assert standing(bob)[0] == 60
        assert Refund.objects.get().provider_id == order.provider_id

    def test_of_the_rest_takes_all_that_is_left(self, till: Till, paid: Payment, bob: Account) -> None:
        give_back(paid, 250)
        assert give_back(paid).amount_minor == 750
        assert standing(bob)[0] == 0
        with pytest.raises(refusals.NotRefundable, match="All of it"):
            give_back(paid)

    def test_of_what_was_spent_leaves_a_debt(self, till: Till, paid: Payment, bob: Account) -> None:
        spend(bob, 80)
        give_back(paid)
        assert standing(bob)[::2] == (0, 80)

    @pytest.mark.parametrize("minor", [0, -1, 1001])
    def test_of_more_than_is_left_or_nothing_is_refused(self, till: Till, paid: Payment, minor: int) -> None:
        with pytest.raises(InvalidField):
            give_back(paid, minor)
        assert at_the_provider(till) == []

    def test_under_dispute_is_refused_before_anybody_is_asked(self, till: Till, paid: Payment) -> None:
        till.fake.open_dispute(paid.charge_reference, 1000)
        till.deliver()
        with pytest.raises(refusals.NotRefundable, match="dispute"):
            give_back(paid)
        assert RefundOrder.objects.count() == 0

    def test_under_a_dispute_nobody_heard_of_is_refused_by_the_provider(self, till: Till, paid: Payment) -> None:
        till.fake.open_dispute(paid.charge_reference, 1000)
        with pytest.raises(refusals.NotRefundable, match="charge_disputed"):
            give_back(paid)
        assert RefundOrder.objects.get().status == "refused"

    def test_of_nothing_that_is_known_is_refused(self, till: Till) -> None:
        with pytest.raises(refusals.UnknownPayment):
            refunds.refund_payment(once=None, payment="pi_no", amount_minor=None, reason="x", actor=WHO)


class TestTwoAtOnce:
    def test_never_give_back_more_than_came_in(self, till: Till, paid: Payment, bob: Account) -> None:
        outcomes = at_once([partial(give_back, paid, 700)] * 4)

        assert sum(isinstance(each, RefundOrder) for each in outcomes) == 1
        assert all(isinstance(each, RefundOrder | Refusal) for each in outcomes)
        assert at_the_provider(till) == [700]
        assert standing(bob)[0] == 30


class TestWhoeverIsCutOff:
    def test_by_a_key_that_is_not_accepted_has_it_finished_later(
        self, till: Till, paid: Payment, bob: Account, settings: Any
    ) -> None:
        good, settings.STRIPE_SECRET_KEY = settings.STRIPE_SECRET_KEY, "sk_test_revoked"
        stripe.forget()
        with pytest.raises(refusals.StripeFailure):
            give_back(paid, 500)
        assert RefundOrder.objects.get().status == "pending"
        settings.STRIPE_SECRET_KEY = good
        stripe.forget()

        later = timezone.now() + refunds.PATIENCE + timedelta(seconds=1)
        assert refunds.finish_refunds(now=later) == 1
        assert (standing(bob)[0], at_the_provider(till)) == (50, [500])

    def test_by_a_provider_that_is_away_has_it_finished_later(self, till: Till, paid: Payment, bob: Account) -> None:
        till.fake.api.faults.extend([Fault(), Fault(), Fault()])
        with pytest.raises(refusals.StripeUnreachable):
            give_back(paid, 500)
        assert RefundOrder.objects.get().status == "pending"
        with pytest.raises(InvalidField):
            give_back(paid, 501)
        assert refunds.finish_refunds() == 0

        later = timezone.now() + refunds.PATIENCE + timedelta(seconds=1)
        assert refunds.finish_refunds(now=later) == 1

        assert (RefundOrder.objects.get().status, standing(bob)[0]) == ("done", 50)
        assert at_the_provider(till) == [500]

    @pytest.mark.parametrize("point", ["ordered", "refunded", "applied"])
    def test_by_a_kill_has_it_finished_once(self, till: Till, paid: Payment, bob: Account, point: str) -> None:
        command = [sys.executable, "-m", "tests.billing.dying_refund", point, paid.provider_id]
        told = {**environment(), **stripe_settings(till.fake)}
        killed = subprocess.run(command, cwd=ROOT, env=told, capture_output=True, check=False, timeout=60)
        assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()

        # The provider remembers keys for a day.
        till.fake.advance(3)
        refunds.finish_refunds(now=timezone.now() + timedelta(days=3))
        till.deliver()

        assert at_the_provider(till) == [500]
        assert standing(bob)[0] == 50
        assert RefundOrder.objects.get().status == "done"


class TestTheApi:
    def test_refunds_once_for_a_key(self, till: Till, paid: Payment, bob: Account) -> None:
        api = Api()
        path = f"/api/v1/payments/{paid.provider_id}/refunds"
        first = api.post(path, {"amount_minor": 300, "reason": "Ticket 7"}, once="r-1")
        again = api.post(path, {"amount_minor": 300, "reason": "Ticket 7"}, once="r-1")

        assert (first.status_code, again.status_code) == (201, 201)
        assert first.json() == again.json()
        assert again.headers["Idempotency-Replayed"] == "true"
        assert (first.json()["status"], first.json()["credits_taken_back"]) == ("done", 30)
        assert at_the_provider(till) == [300]

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({"reason": "x", "amount_minor": 0}, 400, "invalid"),
            ({"reason": "x", "amount_minor": "much"}, 400, "invalid"),
            ({"reason": "x", "amount_minor": 10**30}, 400, "invalid"),
            ({"amount_minor": 1}, 400, "invalid"),
            ({"reason": "x", "amount_minor": 2000}, 400, "invalid"),
        ],
    )
    def test_says_what_is_wrong(self, till: Till, paid: Payment, body: Any, status: int, code: str) -> None:
        answer = Api().post(f"/api/v1/payments/{paid.provider_id}/refunds", body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert at_the_provider(till) == []

    def test_needs_the_scope(self, till: Till, paid: Payment) -> None:
        answer = Api("credits:read").post(f"/api/v1/payments/{paid.provider_id}/refunds", {"reason": "x"})
        assert answer.status_code == 403


class TestTheButton:
    @pytest.fixture
    def desk(self, till: Till) -> Client:
        client = Client()
        client.force_login(User.objects.create_superuser("carol"))
        return client

    def test_shows_what_is_clawed_back_and_then_does_it_once(
        self, desk: Client, till: Till, paid: Payment, bob: Account
    ) -> None:
        button = f"/admin/billing/payment/{paid.pk}/refund/"
        assert b"Refund the payment" in desk.get(button).content
        asked = {"amount": "4.00", "reason": "Ticket 9"}
        preview = desk.post(button, asked).content.decode()
        assert "6.00" not in preview
        assert "40" in preview
        assert standing(bob)[0] == 100

        confirmation = preview.split('name="confirmation" value="')[1].split('"')[0]
        for _ in range(2):
            assert desk.post(button, {**asked, "confirmation": confirmation}).status_code in {200, 302}

        assert standing(bob)[0] == 60
        assert at_the_provider(till) == [400]
        assert Transaction.objects.filter(account=bob, kind="clawback").count() == 1
        act = StaffAct.objects.get(account=bob)
        assert (act.actor_name, act.action, act.note) == ("carol", "refund-payment", "Ticket 9")
        assert (act.before["Given back"], act.after["Given back"]) == ("0.00 USD", "4.00 USD")

    def test_refuses_too_much_by_the_field(self, desk: Client, till: Till, paid: Payment) -> None:
        page = desk.post(f"/admin/billing/payment/{paid.pk}/refund/", {"amount": "11", "reason": "x"}).content.decode()
        assert "Between 0.01 USD and 10.00 USD can be given back." in page
