"""Auto top-up: an account that runs low buys once, and a card that says no is not asked for ever."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client
from django.utils import timezone

from billing.models import AutoTopUp, Checkout, Payment, ProviderEvent
from billing.providers import stripe
from billing.services import reconciliation, refunds, topups
from credits.models import Account, StaffAct
from credits.services.accounts import freeze_account
from tests.billing.till import WHO, Till, standing
from tests.conftest import Api, stripe_settings
from tests.factories import spend
from tests.fakes.stripe import Fault
from tests.processes import ROOT, environment
from tests.threads import at_once

LATER = topups.PATIENCE + timedelta(seconds=1)


@pytest.fixture
def low(till: Till, bob: Account) -> Account:
    """Bob has a saved card, 10 of his 100 credits left, and buys 100 when fewer than 50 are left."""
    till.buy(bob)
    till.deliver()
    spend(bob, 90)
    set_terms(bob)
    return bob


def set_terms(account: Account, **terms: Any) -> AutoTopUp:
    wanted = {"pack": "small", "threshold": Decimal(50), "target": None, "per_hour": None, "per_day": None, **terms}
    return topups.set_auto_topup(account=account.pk, **wanted)


def charged(till: Till) -> list[int]:
    """Return the amounts that cards were charged, the first purchase left out."""
    return [each["amount"] for each in till.fake.store.all("ch") if each["status"] == "succeeded"][1:]


def row() -> AutoTopUp:
    return AutoTopUp.objects.get()


def decline(till: Till, card: str = "pm_card_chargeCustomerFail") -> None:
    """Let the customer have a card only that says no."""
    for held in till.fake.store.all("pm"):
        held["customer"] = None
    customer = till.fake.store.all("cus")[0]
    till.fake.save_card(customer["id"], card)


class TestAnAccountThatRunsLow:
    def test_buys_once_and_the_webhooks_change_nothing(self, till: Till, low: Account) -> None:
        assert topups.top_up_due() == 1
        assert standing(low)[0] == 110
        assert topups.top_up_due() == 0

        till.deliver()

        assert standing(low)[0] == 110
        assert charged(till) == [1000]
        assert Checkout.objects.get(automatic=True).status == "paid"

    def test_and_has_a_target_buys_as_many_packs_as_that_takes(self, till: Till, low: Account) -> None:
        set_terms(low, target=Decimal(450))
        topups.top_up_due()
        assert (standing(low)[0], charged(till)) == (510, [5000])

    def test_and_has_enough_again_buys_nothing(self, till: Till, low: Account) -> None:
        set_terms(low, threshold=Decimal(10))
        assert topups.top_up_due() == 0

    def test_and_is_frozen_buys_nothing(self, till: Till, low: Account) -> None:
        freeze_account(account=low.pk, reason="fraud")
        assert topups.top_up_due() == 0

    def test_buys_once_however_many_workers_look(self, till: Till, low: Account) -> None:
        outcomes = at_once([topups.top_up_due] * 6)
        assert [each for each in outcomes if isinstance(each, Exception)] == []
        assert charged(till) == [1000]
        assert standing(low)[0] == 110

    def test_no_more_often_than_its_ceilings(self, till: Till, low: Account) -> None:
        set_terms(low, per_hour=1, per_day=2)
        begun = []
        for hours in (0, 0, 2, 4, 30):
            if standing(low)[0] > 1:
                spend(low, standing(low)[0] - 1)
            begun.append(int(topups.top_up_due(now=timezone.now() + timedelta(hours=hours))))
        assert begun[:2] == [1, 0]
        assert len(charged(till)) == sum(begun)


class TestADecline:
    def test_makes_it_wait_longer_each_time_and_then_switches_it_off_and_tells(self, till: Till, low: Account) -> None:
        decline(till)
        now = timezone.now()
        pauses: list[timedelta] = []
        for _ in range(3):
            topups.top_up_due(now=now)
            assert topups.top_up_due(now=now) == 0
            waits = row().next_try_at
            assert waits is not None
            pauses.append(waits - now)
            now = waits

        assert pauses == [timedelta(minutes=5), timedelta(minutes=10), timedelta(minutes=20)]
        assert (row().enabled, row().failures) == (False, 3)
        assert "card_declined" in row().off_reason or "decline" in row().off_reason
        assert topups.top_up_due(now=now + timedelta(days=9)) == 0
        assert charged(till) == []
        assert standing(low)[0] == 10

    def test_is_told_to_the_owner(self, till: Till, low: Account, settings: Any) -> None:
        settings.AUTO_TOPUP_FAILURES = 1
        Account.objects.filter(pk=low.pk).update(email="bob@example.com")
        decline(till)
        topups.top_up_due()
        assert [message.to for message in mail.outbox] == [["bob@example.com"]]
        assert "was declined several times" in mail.outbox[0].body
        assert ".." not in mail.outbox[0].body

    def test_for_want_of_a_card_counts_too(self, till: Till, low: Account) -> None:
        for held in till.fake.store.all("pm"):
            held["customer"] = None
        till.fake.store.all("cus")[0]["invoice_settings"]["default_payment_method"] = None
        topups.top_up_due()
        assert (row().failures, row().failure) == (1, "no_saved_card")

    def test_for_want_of_the_customer_is_one(self, till: Till, low: Account) -> None:
        decline(till, "pm_card_authenticationRequired")
        topups.top_up_due()
        assert row().failures == 1
        assert "authentication" in row().failure

    def test_that_is_overcome_is_forgotten(self, till: Till, low: Account) -> None:
        decline(till)
        topups.top_up_due()
        decline(till, "pm_card_visa")
        topups.top_up_due(now=timezone.now() + timedelta(minutes=6))
        assert (row().failures, row().next_try_at, standing(low)[0]) == (0, None, 110)


class TestMoneyThatGoesBack:
    """Credits that go with it leave the account low: the card must not be charged for that."""

    @pytest.fixture
    def bought(self, till: Till, low: Account) -> Payment:
        """What Bob's account has bought by itself."""
        Account.objects.filter(pk=low.pk).update(email="bob@example.com")
        topups.top_up_due()
        till.deliver()
        return Payment.objects.get(checkout__automatic=True)

    def went_back(self, till: Till, payment: Payment, how: str) -> None:
        if how == "refunded here":
            refunds.refund_payment(
                once=None, payment=payment.provider_id, amount_minor=500, reason="Asked for", actor=WHO
            )
        elif how == "refunded there":
            till.fake.refund(payment.charge_reference)
        else:
            till.fake.open_dispute(payment.charge_reference)
        till.deliver()

    @pytest.mark.parametrize("how", ["refunded here", "refunded there", "disputed"])
    @pytest.mark.parametrize("automatic", [True, False])
    def test_switches_it_off_and_tells(
        self, till: Till, low: Account, bought: Payment, how: str, automatic: bool
    ) -> None:
        self.went_back(till, Payment.objects.get(checkout__automatic=automatic), how)

        assert topups.top_up_due(now=timezone.now() + timedelta(hours=2)) == 0
        assert charged(till) == [1000]
        off = row()
        assert (off.enabled, off.stopped, off.failures) == (False, True, 0)
        assert off.off_reason.startswith("Money goes back: ")
        assert [message.to for message in mail.outbox] == [["bob@example.com"]]
        assert off.off_reason.removeprefix("Money goes back: ") in mail.outbox[0].body

    def test_and_is_switched_on_again_stays_on_whatever_is_told_again(
        self, till: Till, low: Account, bought: Payment
    ) -> None:
        self.went_back(till, bought, "refunded there")
        told = till.fake.events()
        topups.switch(low.pk, on=True)

        till.deliver(told)
        reconciliation.take_in_missing()
        till.work()
        ProviderEvent.objects.filter(type="charge.refunded").update(state="received", next_try_at=timezone.now())
        till.work()

        assert (row().enabled, row().stopped) == (True, False)
        assert len(mail.outbox) == 1

    def test_is_told_to_staff(self, till: Till, low: Account, bought: Payment) -> None:
        self.went_back(till, bought, "disputed")
        desk = Client()
        desk.force_login(User.objects.create_superuser("carol"))

        found = desk.get("/admin/billing/autotopup/?stopped__exact=1").content.decode()
        assert f"/admin/billing/autotopup/{low.pk}/change/" in found
        assert "stopped__exact=1" in desk.get("/admin/").content.decode()


class TestAKeyOfOursThatIsNotAccepted:
    def test_is_no_decline_of_the_customer_s(self, till: Till, low: Account, settings: Any) -> None:
        settings.AUTO_TOPUP_FAILURES, good = 1, settings.STRIPE_SECRET_KEY
        Account.objects.filter(pk=low.pk).update(email="bob@example.com")
        settings.STRIPE_SECRET_KEY = "sk_test_revoked"
        stripe.forget()
        topups.top_up_due()
        assert (row().enabled, row().failures, mail.outbox) == (True, 0, [])
        waiting = Checkout.objects.get(automatic=True)
        assert (waiting.status, waiting.failure) == ("open", "The payment provider does not accept our key.")

        settings.STRIPE_SECRET_KEY = good
        stripe.forget()
        topups.top_up_due(now=timezone.now() + LATER)

        assert (charged(till), standing(low)[0]) == ([1000], 110)
        assert Checkout.objects.get(automatic=True).failure == ""

    def test_for_days_is_none_either(self, till: Till, low: Account, settings: Any) -> None:
        settings.AUTO_TOPUP_FAILURES = 1
        settings.STRIPE_SECRET_KEY = "sk_test_revoked"
        stripe.forget()
        topups.top_up_due()

        topups.top_up_due(now=timezone.now() + timedelta(days=1))

        assert (row().enabled, row().failures) == (True, 0)
        assert Checkout.objects.get(automatic=True).status == "failed"


class TestWhoeverIsCutOff:
    def test_by_a_provider_that_is_away_has_it_charged_once_later(self, till: Till, low: Account) -> None:
        till.fake.api.faults.extend([Fault(after=True)] * 3)
        topups.top_up_due()
        assert standing(low)[0] == 10
        assert Checkout.objects.get(automatic=True).status == "open"

        topups.top_up_due(now=timezone.now() + LATER)

        assert (standing(low)[0], charged(till)) == (110, [1000])

    @pytest.mark.parametrize("point", ["begun", "charged", "applied"])
    @pytest.mark.parametrize("webhook", [True, False])
    def test_by_a_kill_has_it_charged_once(self, till: Till, low: Account, point: str, webhook: bool) -> None:
        told = {**environment(), **stripe_settings(till.fake)}
        command = [sys.executable, "-m", "tests.billing.dying_topup", point]
        killed = subprocess.run(command, cwd=ROOT, env=told, capture_output=True, check=False, timeout=60)
        assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
        if webhook:
            till.deliver()

        topups.top_up_due(now=timezone.now() + LATER)
        till.deliver()

        assert (standing(low)[0], charged(till)) == (110, [1000])

    def test_for_days_is_not_charged_again_but_credited_when_it_is_heard_of(self, till: Till, low: Account) -> None:
        command = [sys.executable, "-m", "tests.billing.dying_topup", "charged"]
        subprocess.run(
            command, cwd=ROOT, env={**environment(), **stripe_settings(till.fake)}, capture_output=True, check=False
        )
        much_later = timezone.now() + timedelta(days=2)
        till.fake.advance(2)
        set_terms(low, threshold=Decimal(5))

        topups.top_up_due(now=much_later)
        assert Checkout.objects.get(automatic=True).status == "failed"
        assert charged(till) == [1000]

        reconciliation.take_in_missing()
        till.work()
        assert standing(low)[0] == 110
        assert Payment.objects.count() == 2


class TestTheApi:
    def path(self, account: Account) -> str:
        return f"/api/v1/accounts/{account.external_id}/auto-topup"

    def test_sets_reads_and_switches_off(self, till: Till, bob: Account) -> None:
        api = Api()
        assert api.get(self.path(bob)).json()["code"] == "auto_topup_not_found"
        made = api.post(self.path(bob), {"pack": "small", "threshold": 20, "target": 300}, method="PUT")
        assert (made.status_code, made.json()["most_per_hour"], made.json()["target"]) == (200, 2, 300)
        assert api.get(self.path(bob)).json() == made.json()
        off = api.post(self.path(bob), method="DELETE").json()
        assert (off["enabled"], off["off_reason"]) == (False, "Switched off by web-prod")
        assert api.post(self.path(bob), {"pack": "small", "threshold": 20}, method="PUT").json()["enabled"]

    @pytest.mark.parametrize(
        ("body", "status", "field"),
        [
            ({"threshold": 5}, 400, "pack"),
            ({"pack": "small"}, 400, "threshold"),
            ({"pack": "small", "threshold": 0}, 400, "threshold"),
            ({"pack": "small", "threshold": -1}, 400, "threshold"),
            ({"pack": "small", "threshold": 1.5}, 400, "threshold"),
            ({"pack": "small", "threshold": 50, "target": 10}, 400, "target"),
            ({"pack": "small", "threshold": 50, "target": 10**6}, 400, "target"),
            ({"pack": "small", "threshold": 50, "most_per_day": 0}, 400, "most_per_day"),
            ({"pack": "no", "threshold": 50}, 404, None),
        ],
    )
    def test_says_what_is_wrong(self, till: Till, bob: Account, body: Any, status: int, field: str | None) -> None:
        answer = Api().post(self.path(bob), body, method="PUT")
        assert answer.status_code == status
        assert field is None or field in answer.json()["errors"]
        assert not AutoTopUp.objects.exists()

    def test_knows_no_account_that_is_not_there(self, till: Till) -> None:
        for method in ("PUT", "GET", "DELETE"):
            body = {"pack": "small", "threshold": 1} if method == "PUT" else None
            assert Api().post("/api/v1/accounts/nobody/auto-topup", body, method=method).status_code == 404


class TestTheDesk:
    def test_shows_what_was_declined_and_switches_it_on_again(self, till: Till, low: Account, settings: Any) -> None:
        settings.AUTO_TOPUP_FAILURES = 1
        decline(till)
        topups.top_up_due()
        desk = Client()
        desk.force_login(User.objects.create_superuser("carol"))
        assert b"Auto top-ups switched off" in desk.get("/admin/").content
        page = f"/admin/billing/autotopup/{low.pk}"
        assert "Declined 1 times" in desk.get(f"{page}/change/").content.decode()
        assert b"Switch it on again?" in desk.get(f"{page}/switch/").content
        assert not row().enabled

        def switch(to: str) -> str:
            return str(desk.post(f"{page}/switch/", {"to": to}, follow=True).content.decode())

        assert "It is on again." in switch("on")
        assert (row().enabled, row().failures) == (True, 0)
        # Of two who look at it while it is on, and press, the second does not switch it on.
        assert b'name="to" value="off"' in desk.get(f"{page}/switch/").content
        assert "It is off." in switch("off")
        assert "It is off already." in switch("off")
        assert desk.post(f"{page}/switch/").status_code == 405
        assert (row().enabled, row().off_reason) == (False, "Switched off by carol")
        assert StaffAct.objects.filter(action="switch").count() == 2


@pytest.mark.parametrize("failures", range(1, 40))
def test_pauses_grow_to_a_day_and_no_further(failures: int) -> None:
    assert topups.pause(failures) == min(timedelta(minutes=5) * 2 ** (failures - 1), timedelta(days=1))
